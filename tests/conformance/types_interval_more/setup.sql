CREATE TABLE t(id int PRIMARY KEY, i interval, i3 interval(3), ih interval hour, n interval NOT NULL DEFAULT '60 days'::interval, a interval[]);
