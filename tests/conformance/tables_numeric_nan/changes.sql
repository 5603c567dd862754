INSERT INTO numeric_decimal_table (d,dvs,n,nzs,nvs) VALUES ('NaN','NaN','NaN','NaN','NaN'),(null,'Infinity',null,null,'-Infinity');
ALTER TABLE numeric_decimal_table REPLICA IDENTITY FULL;
UPDATE numeric_decimal_table SET d = 1 WHERE pk = 1;
