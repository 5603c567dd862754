CREATE SCHEMA "1s.x";
CREATE TABLE "1s.x"."2 t-é.x"("3id" int PRIMARY KEY, "a-b" text, "c.d" text, "e f" text, "Ünï" text, "_u" text, "$x" text, "日本" text, "1" int DEFAULT 1, "select" text, "A" text);
CREATE TABLE "quo""te"("i""d" int PRIMARY KEY, "v''x" text, "back\slash" text);
CREATE TABLE "a"(id int PRIMARY KEY, "LongNameLongNameLongNameLongNameLongNameLongNameLongNameLong123" text);
CREATE TABLE "LongNameLongNameLongNameLongNameLongNameLongNameLongNameLong123"(id int PRIMARY KEY, v text);
CREATE TYPE "en.um-1" AS ENUM ('a.b','c-d');
CREATE TABLE "x$y#z"(id int PRIMARY KEY, e "en.um-1" DEFAULT 'c-d', arr "en.um-1"[]);
