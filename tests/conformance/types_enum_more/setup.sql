CREATE SCHEMA s;
CREATE TYPE s."Odd Type" AS ENUM('a','B c','é','');
CREATE TYPE public.mood AS ENUM('x','y');
CREATE TYPE s.mood AS ENUM('p','q');
CREATE TABLE t(pk public.mood PRIMARY KEY, o s."Odd Type", m s.mood NOT NULL DEFAULT 'q', arr s."Odd Type"[], arrn public.mood[] NOT NULL DEFAULT '{x}');
ALTER TABLE t REPLICA IDENTITY FULL;
