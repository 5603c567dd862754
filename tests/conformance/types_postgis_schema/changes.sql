INSERT INTO t(p,ml) VALUES ('SRID=3187;POINT(174.9479 -36.7208)'::postgis.geometry,'MULTILINESTRING((169.1321 -44.7032, 167.8974 -44.6414))'::postgis.geography),(NULL,NULL);
INSERT INTO a(ga,gn) VALUES (ARRAY['POINT(1 1)'::postgis.geometry,NULL],'{}'),(NULL,ARRAY['POINT(1 2)'::postgis.geometry]);
