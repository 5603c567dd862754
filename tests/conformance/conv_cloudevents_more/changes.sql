INSERT INTO t VALUES (1,'one',12.50,1.5,'\x00ff','2024-01-01','{1,NULL}','{"a":1}','NaN','(1,2)');
INSERT INTO t(id) VALUES (2);
UPDATE t SET v='x' WHERE id=1;
DELETE FROM t WHERE id=1;
TRUNCATE t;
