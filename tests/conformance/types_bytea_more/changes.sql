INSERT INTO t(k,b,a) VALUES ('\x01','\x00',ARRAY['\x','\xff',NULL]::bytea[]),('\x','abc',NULL),('\xfbefbe',NULL,'{}');
UPDATE t SET b='\x3f3e' WHERE k='\x01';
DELETE FROM t WHERE k='\x';
