INSERT INTO full_ (m) VALUES ('a');
-- wait
CREATE TYPE test_type AS ENUM ('V1','V2');
ALTER TABLE enum_table ADD COLUMN data varchar(25) NOT NULL;
ALTER TABLE enum_table ADD COLUMN value test_type NOT NULL DEFAULT 'V1';
INSERT INTO enum_table (data) VALUES ('V1');
-- wait
ALTER TYPE test_type RENAME VALUE 'V2' TO 'V3';
INSERT INTO enum_table (data,value) VALUES ('x','V1');
INSERT INTO enum_table (data,value) VALUES ('y','V3');
-- wait
ALTER TYPE mood ADD VALUE 'c';
-- wait
INSERT INTO dom (m) VALUES ('c');
UPDATE full_ SET m = 'c';
UPDATE full_ SET n = 1;
UPDATE full_ SET m = 'a';
DELETE FROM full_;
-- wait
ALTER TABLE enum_table DROP COLUMN value;
ALTER TABLE enum_table ADD COLUMN value test_type[] NOT NULL DEFAULT '{V3}';
INSERT INTO enum_table (data) VALUES ('z');
