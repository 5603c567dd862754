CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE TABLE t(id int PRIMARY KEY, mo money[], bi bit(3)[], vb varbit(5)[], x xml[], m macaddr[], m8 macaddr8[], p point[], bx box[], ci circle[], n name[], ch "char"[], bp char(4)[], tv tsvector[], i8 int8range[], nr numrange[], dr daterange[], tsr tsrange[], tzr tstzrange[], mr int4multirange[], rc regclass[], ls pg_lsn[], iv interval[], h hstore[], l ltree[], t0 time(0)[], t3 time(3)[], ts0 timestamp(0)[], ts3 timestamp(3)[], tz3 timestamptz(3)[], n50 numeric(5,0)[]);
