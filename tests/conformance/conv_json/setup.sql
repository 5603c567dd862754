CREATE TABLE t(id int PRIMARY KEY, v text NOT NULL DEFAULT 'dv', n numeric(10,2), nv numeric, b bytea, d date, a int[], j jsonb, f float8, p point);
