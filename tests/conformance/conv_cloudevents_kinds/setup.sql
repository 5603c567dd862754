CREATE TABLE t(id int PRIMARY KEY, v text, n numeric(6,2));
ALTER TABLE t REPLICA IDENTITY FULL;
CREATE TABLE keyless(a int, "b c" text);
