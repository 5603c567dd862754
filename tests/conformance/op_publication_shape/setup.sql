CREATE TABLE t(id int PRIMARY KEY, v text, n int);
CREATE TABLE r(id int PRIMARY KEY, v text);
CREATE TABLE zz_end(id int PRIMARY KEY);
CREATE PUBLICATION pub FOR TABLE t (id, v), r WHERE (id > 5), zz_end WITH (publish='insert, update');
