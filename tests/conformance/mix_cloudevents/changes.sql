INSERT INTO t VALUES (1,'one',NULL,1.5,'2024-01-01 00:00+00','{1,2}');
INSERT INTO nokey VALUES ('x');
BEGIN; UPDATE t SET v='two'; INSERT INTO t(id) VALUES (2); SELECT pg_logical_emit_message(true,'p','m'); COMMIT;
DELETE FROM t WHERE id=1;
TRUNCATE t;
