CREATE EXTENSION postgis;
CREATE TABLE t(id int PRIMARY KEY, g geometry, p geometry(POINT,3187), g2 geometry(POLYGON), gg geography, ml geography(MULTILINESTRING), ga geometry[], gn geometry(POINT) NOT NULL DEFAULT 'POINT(1 2)');
