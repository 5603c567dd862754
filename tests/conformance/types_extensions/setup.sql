CREATE EXTENSION cube;
CREATE EXTENSION seg;
CREATE EXTENSION intarray;
CREATE EXTENSION lo;
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE DOMAIN email AS citext CHECK (VALUE ~ '@');
CREATE TABLE t(id int PRIMARY KEY, c cube, s seg, q query_int, l lo, e email, ct citext NOT NULL DEFAULT 'Df', cta citext[], h hstore NOT NULL DEFAULT ''::hstore);
