INSERT INTO t(id,i,t,by,d) VALUES (1,'{{1,2},{3,NULL}}',ARRAY['','NULL',NULL,'a,b','{x}','"q"',E'back\\slash',E'tab\there',' sp ','ünï 😀'],ARRAY['\x','\x00ff']::bytea[],'{infinity,-infinity,"0044-03-15 BC"}');
INSERT INTO t(id,i) VALUES (2,'{}');
INSERT INTO t(id,t) VALUES (3,'{a}');
UPDATE t SET t=t||'b'::text WHERE id=3;
DELETE FROM t WHERE id=1;
