CREATE TABLE t(id int PRIMARY KEY, v text, n int DEFAULT 5, b bool, f float8, m numeric(10,2), d date, ts timestamp(3), by bytea, big bigint, j jsonb, a int[], h text, "odd.name" text);
ALTER TABLE t REPLICA IDENTITY FULL;
CREATE TABLE nokey(v text, n int);
CREATE TABLE k2(a int, b text, v text, PRIMARY KEY(a,b));
