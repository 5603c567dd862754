CREATE TABLE i(id int PRIMARY KEY, v int, l bigint, s smallint, f real, d float8, b boolean, t text, y bytea, m numeric(5,2), u numeric, ts timestamptz DEFAULT '2024-01-01 00:00+00', n int DEFAULT 7, j jsonb, a text[], h text);
CREATE TABLE l(id bigint PRIMARY KEY, v text);
CREATE TABLE x(id text PRIMARY KEY, v text);
