INSERT INTO t(id,c,s,q,l,e,cta) VALUES (1,'(1,2),(3,4)','4.5 .. 5.5','1&(2|3)',77,'A@b','{Ab,NULL}');
INSERT INTO t(id) VALUES (2);
