INSERT INTO t(id,p) VALUES (1,'(1.5,-2.25)'),(2,NULL),(3,'(1e300,-1e-300)'),(4,'(Infinity,NaN)'),(5,'(0,-0)');
UPDATE t SET p='(9,9)' WHERE id=1;
DELETE FROM t WHERE id=2;
