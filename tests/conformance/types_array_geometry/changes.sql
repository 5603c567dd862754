INSERT INTO t(id,b,c,l,s,p,g) VALUES (1,'{(3,4),(1,2);(1,1),(0,0)}','{"<(1,2),3>",NULL}','{"{1,2,3}"}','{"[(1,2),(3,4)]"}','{"((1,2),(3,4))"}','{"((0,0),(1,0),(1,1))"}');
INSERT INTO t(id) VALUES (2);
INSERT INTO t(id,b,c,l,s,p,g) VALUES (3,'{}','{}','{}','{}','{}','{}');
UPDATE t SET id=4 WHERE id=3;
