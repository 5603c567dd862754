CREATE TABLE t(id int PRIMARY KEY, ts timestamp(3), tz timestamptz, d date, ti time(3), tu timestamp, v text);
