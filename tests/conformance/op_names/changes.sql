INSERT INTO "Quoted_"" . Schema"."Quoted_"" . Table" VALUES (1,'t',2,3);
INSERT INTO "select"."order" VALUES (1,'x'); UPDATE "select"."order" SET "group"=2;
INSERT INTO "some|test@data" VALUES (1);
INSERT INTO "テスト" VALUES ('値',1);
INSERT INTO "a-b_c.d" VALUES (1);
INSERT INTO lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll VALUES (1,2);
INSERT INTO "UPPER" VALUES (1,2,3); DELETE FROM "UPPER";
INSERT INTO _1t VALUES (1,2,3);
