CREATE TABLE t(id int PRIMARY KEY, x xml, xn xml NOT NULL DEFAULT '<d/>', xa xml[]);
