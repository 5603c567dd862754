CREATE SCHEMA inv;
CREATE TABLE a(id int PRIMARY KEY, v text); CREATE TABLE ab(id int PRIMARY KEY, v text); CREATE TABLE "Ab"(id int PRIMARY KEY, v text); CREATE TABLE inv.a(id int PRIMARY KEY, v text); CREATE TABLE axb(id int PRIMARY KEY); CREATE TABLE "a.b"(id int PRIMARY KEY);
