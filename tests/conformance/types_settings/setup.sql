ALTER DATABASE c_types_settings SET timezone='America/New_York';
ALTER DATABASE c_types_settings SET extra_float_digits=-5;
ALTER DATABASE c_types_settings SET xmlbinary='hex';
CREATE TABLE t(id int PRIMARY KEY, d date, ts timestamp, tz timestamptz, ttz timetz, i interval, b bytea, f float8, r real, tzr tstzrange, da date[], tza timestamptz[], dd date NOT NULL DEFAULT '2024-01-05', tzd timestamptz NOT NULL DEFAULT '2024-01-05 00:00+00', id_ interval NOT NULL DEFAULT '1 day 2 hours');
