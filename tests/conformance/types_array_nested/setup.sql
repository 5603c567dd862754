CREATE TABLE t(id int PRIMARY KEY, i int[][], t text[], n numeric(6,2)[] NOT NULL DEFAULT '{1.5,2}', by bytea[], b bool[] NOT NULL DEFAULT '{}', d date[]);
