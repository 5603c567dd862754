INSERT INTO "1s.x"."2 t-é.x" VALUES (1,'a','b','c','d','e','f','g',2,'h','i');
UPDATE "1s.x"."2 t-é.x" SET "a-b"='z', "3id"="3id"+1;
DELETE FROM "1s.x"."2 t-é.x";
INSERT INTO "quo""te" VALUES (1,'x','y');
INSERT INTO "a" VALUES (1,'x');
INSERT INTO "LongNameLongNameLongNameLongNameLongNameLongNameLongNameLong123" VALUES (1,'x');
INSERT INTO "x$y#z" VALUES (1,'a.b','{a.b,c-d}');
