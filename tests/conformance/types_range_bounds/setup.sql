CREATE TYPE floatrange AS RANGE (subtype = float8);
CREATE TABLE t(id int PRIMARY KEY, i4 int4range NOT NULL DEFAULT '[1,2)', i8 int8range, n numrange, d daterange, ts tsrange, tz tstzrange, f floatrange, tza tstzrange[]);
