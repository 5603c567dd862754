CREATE EXTENSION vector;
CREATE EXTENSION postgis;

CREATE TABLE t(id int PRIMARY KEY, p point NOT NULL DEFAULT '(1,2)', v varchar(2000), a float8[], g geometry, g4 geometry(Point,4326), gz geometry(PointZM,3857), gg geography(Point,4326), vv vector(3), hv halfvec(2), sv sparsevec(4), n numeric(6,2), b bytea);
COMMENT ON COLUMN t.v IS 'a comment';
ALTER TABLE t REPLICA IDENTITY FULL;
