SELECT pg_logical_emit_message(true,'a','text');
SELECT pg_logical_emit_message(false,'b',E'\\x00ff01'::bytea);
SELECT pg_logical_emit_message(true,'c','');
SELECT pg_logical_emit_message(true,'é','ü');
INSERT INTO t VALUES (1,'x',1);
