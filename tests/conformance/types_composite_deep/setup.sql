CREATE TYPE a AS (x int, y text);
CREATE TYPE b AS (a a, n numeric[], ts timestamptz);
CREATE TABLE base(q int);
CREATE TABLE t(id int PRIMARY KEY, b b, rows base, arr b[], v int);
ALTER TABLE t REPLICA IDENTITY FULL;
