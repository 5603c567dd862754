INSERT INTO t VALUES (1,4294967295,'now','abs(int)','+(int,int)','int','postgres','public','english','simple','1 2','3 4','123','456','1','(0,1)','16/B374D848','$.a[*]','10:20:10,14','10:20:10,14','fat & cat:*','''a'':1A ''b'':2,3B','c','postgres=arwdDxt/postgres');
INSERT INTO t(id) VALUES (2);
UPDATE t SET o=0 WHERE id=1;
