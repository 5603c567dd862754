CREATE TABLE numeric_decimal_table (pk SERIAL, d DECIMAL(3,2), dvs DECIMAL, n NUMERIC(6,4), nzs NUMERIC(4), nvs NUMERIC, PRIMARY KEY(pk));
INSERT INTO numeric_decimal_table (d,dvs,n,nzs,nvs) VALUES ('NaN','NaN','NaN','NaN','NaN'),(null,'Infinity',null,null,'-Infinity');
