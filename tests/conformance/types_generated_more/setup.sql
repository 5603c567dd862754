-- newest: 17 (18 refuses to change rows whose replica identity has generated columns that are not published)
CREATE TABLE t(id int PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a*2) STORED, c text GENERATED ALWAYS AS ('x') STORED, d numeric(6,2) GENERATED ALWAYS AS (a/3.0) STORED NOT NULL, e int NOT NULL);
CREATE TABLE g(id int GENERATED ALWAYS AS (a+1) STORED PRIMARY KEY, a int);
ALTER TABLE t REPLICA IDENTITY FULL;
