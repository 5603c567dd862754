CREATE TABLE t(id int PRIMARY KEY, i4 int4multirange, i8 int8multirange, n nummultirange, d datemultirange, ts tsmultirange, tz tstzmultirange, nn int4multirange NOT NULL DEFAULT '{[1,2)}');
