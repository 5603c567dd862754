CREATE TABLE t(id int PRIMARY KEY, v text, n int);
COMMENT ON TABLE t IS 'a table';
COMMENT ON COLUMN t.v IS 'it''s a value';
