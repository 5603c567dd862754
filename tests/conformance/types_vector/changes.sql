INSERT INTO t(id,v,h,s,vr) VALUES (1,'[1,2,3]','[1.5,-2,0.1]','{1:1,3:2,5:3}/25','[1e-7,123456789,0.5,-3]');
INSERT INTO t(id,va) VALUES (2,'{"[1,2]"}');
INSERT INTO t(id,v,h,s) VALUES (3,'[0,-0,1e30]','[65504,0,0]','{}/25');
UPDATE t SET v='[4,5,6]' WHERE id=1;
DELETE FROM t WHERE id=3;
