CREATE TYPE mood AS ENUM ('sad','ok');
CREATE DOMAIN dmood AS mood; CREATE DOMAIN ddmood AS dmood; CREATE DOMAIN darr AS mood[]; CREATE DOMAIN dint AS int[] NOT NULL; CREATE DOMAIN dts AS timestamp(3)[];
CREATE TABLE t(id int PRIMARY KEY, e mood[] NOT NULL DEFAULT '{sad}', e2 mood[] DEFAULT '{ok,NULL}', de dmood[] NOT NULL, dde ddmood[], da darr, di dint DEFAULT '{1}', dt dts, ti time[] NOT NULL, ts tsvector[] NOT NULL, n numeric[] NOT NULL, nn int[] NOT NULL, m int[][], tx float8[][] NOT NULL DEFAULT '{{1,2},{3,NULL}}', u uuid[] NOT NULL, j jsonb[] NOT NULL, tz timetz[], b bytea[] NOT NULL);
ALTER TABLE t REPLICA IDENTITY FULL;
