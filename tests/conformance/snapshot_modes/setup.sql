CREATE TABLE a(id int PRIMARY KEY, v text); CREATE TABLE b(id int PRIMARY KEY, n int); CREATE TABLE empty(id int PRIMARY KEY); CREATE SCHEMA s; CREATE TABLE s.c(id serial PRIMARY KEY, v text);
INSERT INTO a VALUES (1,'x'),(2,'y'),(3,NULL); INSERT INTO b VALUES (1,10); INSERT INTO s.c(v) VALUES ('q'),('r');
