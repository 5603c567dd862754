INSERT INTO t(pk,o,arr) VALUES ('x','B c','{a,"B c",é,""}');
UPDATE t SET o='',m='p';
INSERT INTO t(pk) VALUES ('y');
DELETE FROM t WHERE pk='x';
