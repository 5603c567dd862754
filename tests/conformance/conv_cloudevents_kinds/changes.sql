INSERT INTO t VALUES (1, 'one "x" ü', 1.5), (2, NULL, NULL);
-- wait
UPDATE t SET v = 'uno' WHERE id = 1;
UPDATE t SET id = 3 WHERE id = 2;
DELETE FROM t WHERE id = 3;
-- wait
INSERT INTO keyless VALUES (1, 'x');
SELECT pg_logical_emit_message(true, 'p', 'content');
-- wait
TRUNCATE t;
