INSERT INTO t VALUES (1,'a',1);
SELECT pg_logical_emit_message(true,'p','m');
