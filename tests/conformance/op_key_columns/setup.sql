CREATE SCHEMA s;
CREATE TABLE t(id int PRIMARY KEY, a int, b text, c numeric(6,2)); CREATE TABLE t2(id int PRIMARY KEY, a int, b text); CREATE TABLE s.t(id int PRIMARY KEY, "Od d" text);
