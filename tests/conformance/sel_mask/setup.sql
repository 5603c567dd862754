CREATE TABLE t(id int PRIMARY KEY, v text, secret text NOT NULL DEFAULT 's', n int, c char(10), vc varchar(50), j jsonb, d date, b bytea, a text[]);
CREATE TABLE u(id int PRIMARY KEY, v text, secret varchar(9));
