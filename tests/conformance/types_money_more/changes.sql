INSERT INTO t(id,m,c,a) VALUES (1,'-0.01',5,'{1,-2.5}'),(2,'0.005','-1','{}'),(3,1e9,1e12,NULL);
