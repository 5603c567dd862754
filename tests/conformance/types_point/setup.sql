CREATE TABLE t(id int PRIMARY KEY, p point, pn point NOT NULL DEFAULT '(1,2)', pd point DEFAULT '(0.1,-3)');
