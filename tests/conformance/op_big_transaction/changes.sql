INSERT INTO t SELECT g, 'row '||g, g*1.25 FROM generate_series(1,100000) g;
