CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM('sad','so happy');
CREATE TABLE t(id int PRIMARY KEY, i int[], t text[], n numeric(6,2)[], by bytea[], e mood[], c citext[], iv interval[], tz timestamptz[], d date[], b bool[], f float8[], j jsonb[], u uuid[], i4 int4range[], mo money[]);
INSERT INTO t VALUES (1,'{{1,2},{3,NULL}}',ARRAY['a,b',NULL,'NULL','"'],'{1.5,NULL}',ARRAY['\x00ff']::bytea[],'{sad,"so happy"}','{Ab}','{1 day}','{2024-01-01 00:00+00}','{2024-01-01}','{t,f}','{1.5,NaN}',ARRAY['{"a": 1}']::jsonb[],'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}','{"[1,3)"}','{1.5}');
INSERT INTO t(id) VALUES (2);
