CREATE TABLE t(id int PRIMARY KEY, d date, ts timestamp, ts3 timestamp(3), ts6 timestamp(6), tz timestamptz, dn date NOT NULL DEFAULT 'infinity', tsn timestamp NOT NULL DEFAULT '-infinity');
