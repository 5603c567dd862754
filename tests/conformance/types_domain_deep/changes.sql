INSERT INTO t(id,m,ia,p,v,w,i,j,ts,mo,n,b,u,d,x1,x5,na,va,tsa) VALUES (1,'ok','{1,2}','(1,x)','vv','ww','10.0.0.1','{"a":1}','2024-01-01 01:02:03.456+00',1.5,2.5,'\x01','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11','2024-01-01','1','10101','{1.5}','{a,b}','{2024-01-01 00:00+00}');
INSERT INTO t(id,m,w) VALUES (2,'sad','z');
