INSERT INTO t SELECT n, 'c'||chr(n)||'x', chr(n), chr(n)||'a', 'n'||chr(n), 'z' FROM generate_series(1,159) n WHERE n NOT IN (0);
INSERT INTO t VALUES (1000,chr(8232)||chr(8233)||chr(65279)||chr(65534)||chr(128512)||chr(1114111),'a'||chr(55295),'ü','é','q');
INSERT INTO t VALUES (1001,'</script>&"''`','\x00','','','');
