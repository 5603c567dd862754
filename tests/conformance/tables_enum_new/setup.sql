CREATE TABLE enum_table (pk SERIAL, PRIMARY KEY (pk));
CREATE TYPE mood AS ENUM ('a','b');
CREATE DOMAIN moodd AS mood;
CREATE TABLE dom (id serial primary key, m moodd);
CREATE TABLE full_ (id serial primary key, m mood, n int);
ALTER TABLE full_ REPLICA IDENTITY FULL;
INSERT INTO full_ (m) VALUES ('a');
