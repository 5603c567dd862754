CREATE TABLE time_table (pk SERIAL, ts TIMESTAMP, tsneg TIMESTAMP(6) WITHOUT TIME ZONE, ts_ms TIMESTAMP(3), ts_us TIMESTAMP(6), tz TIMESTAMPTZ, date DATE, date_pinf DATE, date_ninf DATE,
 ti TIME, tip TIME(3), ttf TIME, ttz TIME WITH TIME ZONE, tptz TIME(3) WITH TIME ZONE, it INTERVAL, tsp TIMESTAMP (0) WITH TIME ZONE, ts_large TIMESTAMP, ts_large_us TIMESTAMP(6), ts_large_ms TIMESTAMP(3), tz_large TIMESTAMPTZ,
 ts_max TIMESTAMP(6), ts_min TIMESTAMP(6), tz_max TIMESTAMPTZ, tz_min TIMESTAMPTZ, ts_pinf TIMESTAMP(6), ts_ninf TIMESTAMP(6), tz_pinf TIMESTAMPTZ, tz_ninf TIMESTAMPTZ, tz_zero TIMESTAMP WITH TIME ZONE, PRIMARY KEY(pk));
CREATE TABLE timetz_boundary_table (pk SERIAL, ttz0 TIME(0) WITH TIME ZONE, ttz6 TIME(6) WITH TIME ZONE, PRIMARY KEY(pk));
CREATE TABLE timetz_boundary_array_table (pk SERIAL, ttz TIMETZ[] NOT NULL, PRIMARY KEY(pk));
CREATE TABLE time_array_table (pk SERIAL, timea TIME[] NOT NULL, timetza TIMETZ[] NOT NULL, timestampa TIMESTAMP[] NOT NULL, timestamptza TIMESTAMPTZ[] NOT NULL, PRIMARY KEY(pk));
CREATE TABLE pre1582_ts_table (pk SERIAL, ts TIMESTAMP, tstz TIMESTAMPTZ, PRIMARY KEY(pk));
CREATE TABLE precisions (c_id SERIAL PRIMARY KEY, c_date DATE, c_timestamp0 TIMESTAMP(0), c_timestamp1 TIMESTAMP(1), c_timestamp2 TIMESTAMP(2), c_timestamp3 TIMESTAMP(3), c_timestamp4 TIMESTAMP(4), c_timestamp5 TIMESTAMP(5), c_timestamp6 TIMESTAMP(6), c_timestamptz TIMESTAMPTZ, c_time TIME WITH TIME ZONE, c_time_whtz TIME WITHOUT TIME ZONE, c_interval INTERVAL);
CREATE TABLE test_interval (pk SERIAL, i interval NOT NULL, PRIMARY KEY(pk));
CREATE TABLE table_with_interval (id SERIAL PRIMARY KEY, title VARCHAR(512) NOT NULL, time_limit INTERVAL DEFAULT '60 days'::INTERVAL NOT NULL);
ALTER TABLE time_table REPLICA IDENTITY FULL;
ALTER TABLE precisions REPLICA IDENTITY FULL;
INSERT INTO time_table(ts,tsneg,ts_ms,ts_us,tz,date,date_pinf,date_ninf,ti,tip,ttf,ttz,tptz,it,ts_large,ts_large_us,ts_large_ms,tz_large,ts_max,ts_min,tz_max,tz_min,ts_pinf,ts_ninf,tz_pinf,tz_ninf,tz_zero) VALUES
('2016-11-04T13:51:30.123456','1936-10-25T22:10:12.608','2016-11-04T13:51:30.123456','2016-11-04T13:51:30.123456','2016-11-04T13:51:30.123456+02:00','2016-11-04','infinity','-infinity','13:51:30','13:51:30.123','24:00:00','13:51:30.123789+02:00','13:51:30.123+02:00','P1Y2M3DT4H5M6.78S','21016-11-04T13:51:30.123456','21016-11-04T13:51:30.123457','21016-11-04T13:51:30.124','21016-11-04T13:51:30.123456+07:00','294247-01-01T23:59:59.999999','4713-12-31T23:59:59.999999 BC','294247-01-01T23:59:59.999999+00:00','4714-12-31T23:59:59.999999Z BC','infinity','-infinity','infinity','-infinity','21016-11-04T13:51:30.000000+07:00');
INSERT INTO timetz_boundary_table (ttz0,ttz6) VALUES ('23:59:59.999999+00','24:00:00+00');
INSERT INTO timetz_boundary_array_table (ttz) VALUES (ARRAY['24:00:00+00','23:59:59.999999+00','24:00:00-05','12:00:00+05:30']::timetz[]);
INSERT INTO time_array_table (timea,timetza,timestampa,timestamptza) VALUES ('{00:01:02,01:02:03}','{13:51:02+0200,14:51:03+0200}','{2020-04-01 00:01:02,2020-04-01 01:02:03}','{2020-04-01 13:51:02+02,2020-04-01 14:51:03+02}');
INSERT INTO pre1582_ts_table (ts,tstz) VALUES ('1500-03-01 00:00:00','1500-03-01 00:00:00+00'),('0001-01-01 12:34:56.789','0001-01-01 12:34:56.789+00'),('1582-10-10 00:00:00','1582-10-10 00:00:00+00');
INSERT INTO precisions VALUES (DEFAULT,'2017-09-15','2019-07-09 02:28:57','2019-07-09 02:28:57.1','2019-07-09 02:28:57.12','2019-07-09 02:28:57.123','2019-07-09 02:28:57.1234','2019-07-09 02:28:57.12345','2019-07-09 02:28:57.123456','2019-07-09 02:28:10.123456+00','04:05:11+03','04:05:11.789','3 days 04:05:06.789'),(DEFAULT,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO test_interval(i) VALUES ('2 Months 3 Days'),('0 Months 3 Days 00:00:00'),('1 mon'),('-1 year 2 days -00:00:00.5'),('20 years 1000 hours');
INSERT INTO table_with_interval(title) VALUES ('x');
