INSERT INTO t SELECT g,'v'||g,g FROM generate_series(1,20) g;
UPDATE t SET v=v||'x' WHERE id<5;
DELETE FROM t WHERE id<4;
