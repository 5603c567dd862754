INSERT INTO t VALUES (1,'ok','{sad}');
-- wait
ALTER TYPE mood ADD VALUE 'new' BEFORE 'ok';
-- wait
ALTER TABLE t ADD x int;
INSERT INTO t VALUES (2,'new','{new}',1);
-- wait
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
-- wait
ALTER TABLE t ADD y int;
INSERT INTO t VALUES (3,'blue','{blue}',1,2);
