CREATE SCHEMA postgis;
CREATE EXTENSION postgis SCHEMA postgis;
CREATE TABLE t(id serial PRIMARY KEY, p postgis.geometry(POINT,3187), ml postgis.geography(MULTILINESTRING));
CREATE TABLE a(id serial PRIMARY KEY, ga postgis.geometry[], gn postgis.geometry[] NOT NULL);
