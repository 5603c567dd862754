CREATE TYPE mood AS ENUM ('sad','ok');
CREATE EXTENSION citext;
CREATE DOMAIN dv AS varchar(6);
CREATE TABLE t(id int PRIMARY KEY, k text, t text, tn text NOT NULL, td text DEFAULT 'default text', tnd text NOT NULL DEFAULT 'given text', v varchar(5), c char(8), q "char", nm name, ct citext, m mood, mn mood NOT NULL DEFAULT 'ok', d dv, j jsonb, x xml, u uuid, i int, b bigint, n numeric(8,2), nv numeric, f float8, bo bool, by bytea, da date, ts timestamp, tz timestamptz, tt timetz, iv interval, ine inet, bi bit(12), ta text[], hs int4range, mo money, p point);
CREATE TABLE tk(k text, v varchar(20), n int, PRIMARY KEY (k, v));
INSERT INTO t(id,k,t,tn,td,v,c,q,nm,ct,m,d,j,x,u,i,b,n,nv,f,bo,by,da,ts,tz,tt,iv,ine,bi,ta,hs,mo,p) SELECT coalesce(max(id),0)+1,'key','some text é😀 "quoted" \ end','needed','x','abcde','char','q','a name','CiText','sad','domain','{"a": [1, 2]}','<a>b</a>','a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',123456,1,1.5,2.5,1.5,true,'\x0102030405','2024-01-01','2024-01-01 01:02:03','2024-01-01 01:02:03+00','01:02:03+00','1 day','10.0.0.1','101010101010','{abcdef,b}','[1,5)',12.5,'(1,2)' FROM t;
INSERT INTO t(id,tn) SELECT max(id)+1,'' FROM t;
INSERT INTO tk SELECT 'key ' || count(*), 'value long', 1 FROM tk;
