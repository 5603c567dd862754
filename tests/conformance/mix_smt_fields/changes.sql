INSERT INTO t VALUES (1,'12',NULL,true,1.5,12.50,'2024-01-01','2024-01-01 01:02:03.004','\xdead',5000000000,'{"a":1}','{1,2}','h','odd'),(2,'-0x1',3,false,'NaN',-0.01,'1969-12-31','1969-12-31 23:59:59.999','\x',-1,'[]','{}',NULL,''),(3,' 7 ',-129,NULL,1e300,99999999.99,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL),(4,'true',300,true,-2.5,1,'infinity','infinity','\x00',9223372036854775807,'"s"','{NULL}','','x');
INSERT INTO nokey VALUES ('x',1),(NULL,NULL);
INSERT INTO k2 VALUES (1,'x','y');
UPDATE t SET v='13' WHERE id=1;
UPDATE k2 SET b='z';
DELETE FROM t WHERE id=2;
DELETE FROM k2;
