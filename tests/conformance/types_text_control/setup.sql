CREATE TABLE t(id int PRIMARY KEY, t text, v varchar(20), c char(10), n name, q "char");
