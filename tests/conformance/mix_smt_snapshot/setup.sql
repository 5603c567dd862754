CREATE TABLE t(id int PRIMARY KEY, v text, n int DEFAULT 5, ts timestamptz, d date);
CREATE TABLE f(id int PRIMARY KEY, v text, n int);
ALTER TABLE f REPLICA IDENTITY FULL;
CREATE TABLE nokey(v text, n int);
INSERT INTO t VALUES (1,'one',NULL,'2024-01-01 00:00+00','2024-01-01'),(2,NULL,7,NULL,NULL);
INSERT INTO f VALUES (1,'x',1);
INSERT INTO nokey VALUES ('x',1);
