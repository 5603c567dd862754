CREATE TABLE t(id int PRIMARY KEY, v text, n numeric(10,2));
