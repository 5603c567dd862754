INSERT INTO public.postgis_table (p,ml) VALUES ('SRID=3187;POINT(174.9479 -36.7208)'::postgis.geometry,'MULTILINESTRING((169.1321 -44.7032, 167.8974 -44.6414))'::postgis.geography);
INSERT INTO public.postgis_array_table (ga,gann,gga) VALUES (ARRAY['GEOMETRYCOLLECTION EMPTY'::postgis.geometry,'POLYGON((166.51 -46.64, 178.52 -46.64, 178.52 -34.45, 166.51 -34.45, 166.51 -46.64))'::postgis.geometry],ARRAY['GEOMETRYCOLLECTION EMPTY'::postgis.geometry,'SRID=4326;POINT Z (1 2 3)'::postgis.geometry],ARRAY['POINT(1 2)'::postgis.geography,NULL]);
INSERT INTO public.postgis_nn (g,gg) VALUES ('POINT(1 2)','POINT(3 4)');
INSERT INTO public.dummy_table DEFAULT VALUES;
DELETE FROM postgis_nn;
INSERT INTO postgis_table (p) VALUES (NULL);
UPDATE postgis_table SET ml = NULL;
ALTER TABLE postgis_table REPLICA IDENTITY FULL;
DELETE FROM postgis_table;
