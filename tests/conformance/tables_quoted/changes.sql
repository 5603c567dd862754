INSERT INTO "Quoted_"" . Schema"."Quoted_"" . Table" ("Quoted_"" . Text_Column") VALUES ('some text');
INSERT INTO quoted_column_table ("'quoted'") VALUES ('some text');
INSERT INTO s1."dbz_878_some|test@data" (aa) VALUES (1);
INSERT INTO s1."back\slash" (aa,bb) VALUES (1,2);
INSERT INTO s1."UPPER" ("Aa","1st","a-b") VALUES (1,2,3);
INSERT INTO "テスト"."café" ("名前") VALUES ('x');

