CREATE TABLE t(id int PRIMARY KEY, j json, jb jsonb, ja json[], jba jsonb[], jn jsonb NOT NULL DEFAULT '{}');
