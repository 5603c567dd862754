INSERT INTO t VALUES (1,'a',1);
SELECT pg_sleep(1.5);
