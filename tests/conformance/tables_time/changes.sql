INSERT INTO time_table(ts,tsneg,ts_ms,ts_us,tz,date,date_pinf,date_ninf,ti,tip,ttf,ttz,tptz,it,ts_large,ts_large_us,ts_large_ms,tz_large,ts_max,ts_min,tz_max,tz_min,ts_pinf,ts_ninf,tz_pinf,tz_ninf,tz_zero) VALUES
('2016-11-04T13:51:30.123456','1936-10-25T22:10:12.608','2016-11-04T13:51:30.123456','2016-11-04T13:51:30.123456','2016-11-04T13:51:30.123456+02:00','2016-11-04','infinity','-infinity','13:51:30','13:51:30.123','24:00:00','13:51:30.123789+02:00','13:51:30.123+02:00','P1Y2M3DT4H5M6.78S','21016-11-04T13:51:30.123456','21016-11-04T13:51:30.123457','21016-11-04T13:51:30.124','21016-11-04T13:51:30.123456+07:00','294247-01-01T23:59:59.999999','4713-12-31T23:59:59.999999 BC','294247-01-01T23:59:59.999999+00:00','4714-12-31T23:59:59.999999Z BC','infinity','-infinity','infinity','-infinity','21016-11-04T13:51:30.000000+07:00');
INSERT INTO timetz_boundary_table (ttz0,ttz6) VALUES ('23:59:59.999999+00','24:00:00+00');
INSERT INTO timetz_boundary_array_table (ttz) VALUES (ARRAY['24:00:00+00','23:59:59.999999+00','24:00:00-05','12:00:00+05:30']::timetz[]);
INSERT INTO time_array_table (timea,timetza,timestampa,timestamptza) VALUES ('{00:01:02,01:02:03}','{13:51:02+0200,14:51:03+0200}','{2020-04-01 00:01:02,2020-04-01 01:02:03}','{2020-04-01 13:51:02+02,2020-04-01 14:51:03+02}');
INSERT INTO pre1582_ts_table (ts,tstz) VALUES ('1500-03-01 00:00:00','1500-03-01 00:00:00+00'),('0001-01-01 12:34:56.789','0001-01-01 12:34:56.789+00'),('1582-10-10 00:00:00','1582-10-10 00:00:00+00');
INSERT INTO precisions VALUES (DEFAULT,'2017-09-15','2019-07-09 02:28:57','2019-07-09 02:28:57.1','2019-07-09 02:28:57.12','2019-07-09 02:28:57.123','2019-07-09 02:28:57.1234','2019-07-09 02:28:57.12345','2019-07-09 02:28:57.123456','2019-07-09 02:28:10.123456+00','04:05:11+03','04:05:11.789','3 days 04:05:06.789'),(DEFAULT,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO test_interval(i) VALUES ('2 Months 3 Days'),('0 Months 3 Days 00:00:00'),('1 mon'),('-1 year 2 days -00:00:00.5'),('20 years 1000 hours');
INSERT INTO table_with_interval(title) VALUES ('x');
DELETE FROM time_table;
UPDATE precisions SET c_date = '0044-03-15 BC';
DELETE FROM test_interval;
