CREATE TABLE t(id int PRIMARY KEY, v text, n int, m numeric(6,2), ts timestamptz, a int[]);
