CREATE SCHEMA f;
CREATE FUNCTION f.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f.rnd() RETURNS uuid LANGUAGE sql AS $$SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid$$;
CREATE TABLE t(id uuid DEFAULT f.rnd() NOT NULL, a int DEFAULT f.one(), b numeric(12,0) NOT NULL DEFAULT 0.0, c text DEFAULT CURRENT_USER, d text DEFAULT ('a'||'b'), e int DEFAULT length('abc'), f float8 DEFAULT random()*0, g text DEFAULT 'a::b', h text DEFAULT 'x''::text', i varchar DEFAULT 'NULL', j int DEFAULT NULL::int, k timestamp DEFAULT '2024-01-01'::date, l date DEFAULT ('2024-01-01'::date + 1), m interval NOT NULL DEFAULT '60 days'::interval, n bool DEFAULT (1=1), o int DEFAULT CAST('5' AS int), p smallint DEFAULT 1::smallint, q text DEFAULT E'line\nbreak', r json DEFAULT '[]'::json);
