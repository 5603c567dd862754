CREATE DOMAIN cash AS money;
CREATE TABLE t(id int PRIMARY KEY, m money, n money NOT NULL DEFAULT '1234.50', c cash, a money[]);
