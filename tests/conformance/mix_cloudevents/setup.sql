CREATE TABLE t(id int PRIMARY KEY, v text, n int DEFAULT 5, m numeric(6,2), ts timestamptz, a int[]);
ALTER TABLE t REPLICA IDENTITY FULL;
CREATE TABLE nokey(v text);
