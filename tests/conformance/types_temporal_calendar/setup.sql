CREATE TABLE t(id int PRIMARY KEY, d date, ts timestamp, tz timestamptz);
