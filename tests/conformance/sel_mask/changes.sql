INSERT INTO t VALUES (1,'visible','s3cret',5,'chr','varchar value','{"a":1}','2024-01-01','\x0102','{x,y}'); INSERT INTO t(id) VALUES (2); UPDATE t SET secret='changed', v='é😀long text' WHERE id=1; DELETE FROM t WHERE id=1;
INSERT INTO u VALUES (1,'uv','us'); UPDATE u SET secret=NULL;
