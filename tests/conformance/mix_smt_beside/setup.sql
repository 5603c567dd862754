CREATE TABLE t(id int PRIMARY KEY, v text, n int DEFAULT 5, ts timestamptz, d date);
CREATE TABLE f(id int PRIMARY KEY, v text, n int);
ALTER TABLE f REPLICA IDENTITY FULL;
CREATE TABLE nokey(v text, n int);
