CREATE TABLE t(id int PRIMARY KEY, d date, t time, t3 time(3), tz timetz, ts timestamp, ts3 timestamp(3), ts0 timestamp(0), tt timestamptz, tt3 timestamptz(3), v text, n bigint, s text, arr timestamptz[]);
ALTER TABLE t REPLICA IDENTITY FULL;
CREATE TABLE "T.x"(id int PRIMARY KEY, ts timestamp, tt timestamptz);
