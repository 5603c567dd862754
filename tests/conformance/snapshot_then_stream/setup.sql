CREATE TABLE a(id int PRIMARY KEY, v text);
INSERT INTO a SELECT g,'v'||g FROM generate_series(1,2500) g;
