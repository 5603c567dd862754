INSERT INTO t VALUES (1, 'one "x" ü', 1.50, '2024-02-29', 1e22, '{a,NULL,"b c"}'), (2, NULL, NULL, NULL, NULL, NULL);
-- wait
UPDATE t SET v = 'uno' WHERE id = 1;
DELETE FROM t WHERE id = 2;
