CREATE TABLE t(id int PRIMARY KEY, v text, n numeric(6,2), d date, f float8, a text[]);
