INSERT INTO t(id,j,jb) VALUES (1,E'{"b" : 1,\n\t"a":[1, 2 ],"b":2}','{"b": 1.10, "a": {"x": null, "n": 12345678901234567890.123}}'),(2,'"\u00e9\ud83d\ude00 \/ \" \\"','"é😀 / \" \\ \n"'),(3,'null','null'),(4,'1.0e5','1.0e5'),(5,'true','[]');
INSERT INTO t(id,ja,jba) VALUES (6,ARRAY['{"a" :1}','null',NULL]::json[],ARRAY['{"a" :1}','"x,y"']::jsonb[]);
