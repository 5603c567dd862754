INSERT INTO orders_1 VALUES (1,'a'); INSERT INTO orders_2 VALUES (1,'b'); INSERT INTO other VALUES (1); UPDATE orders_1 SET v='c'; UPDATE orders_2 SET id=2; DELETE FROM orders_1;
