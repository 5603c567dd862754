UPDATE a SET v='u' WHERE id<=3;
-- wait
DELETE FROM a WHERE id=2500;
