INSERT INTO t VALUES (1,ARRAY['sad','ok']::mood[],'{NULL}',ARRAY['ok','sad']::dmood[],ARRAY['ok']::ddmood[],'{sad,NULL}','{1,NULL}','{2024-01-01 00:00}','{24:00,NULL}',ARRAY['a'::tsvector],'{1,NULL}','{NULL}','{{1},{2}}','{{1},{2}}','{NULL}',ARRAY[NULL::jsonb],'{24:00:00-05,24:00:00+00,NULL}',ARRAY[NULL::bytea]),
(2,'{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}');
UPDATE t SET e='{ok}', ts='{}' WHERE id=1;
DELETE FROM t;
