CREATE TABLE d(id int PRIMARY KEY, a text, b int);
CREATE TABLE f(id int PRIMARY KEY, a text, b int);
ALTER TABLE f REPLICA IDENTITY FULL;
CREATE TABLE c(x int, y text, z int, PRIMARY KEY (y,x));
