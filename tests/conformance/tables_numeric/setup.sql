CREATE TABLE numeric_table (pk SERIAL, si SMALLINT, i INTEGER, bi BIGINT, r REAL, db DOUBLE PRECISION, r_int REAL, db_int DOUBLE PRECISION,
  r_nan REAL, db_nan DOUBLE PRECISION, r_pinf REAL, db_pinf DOUBLE PRECISION, r_ninf REAL, db_ninf DOUBLE PRECISION,
  ss SMALLSERIAL, bs BIGSERIAL, b BOOLEAN, o OID, PRIMARY KEY(pk));
CREATE TABLE numeric_decimal_table (pk SERIAL, d DECIMAL(3,2), dzs DECIMAL(4), dvs DECIMAL, d_nn DECIMAL(3,2) NOT NULL, n NUMERIC(6,4), nzs NUMERIC(4), nvs NUMERIC,
  d_int DECIMAL(3,2), dzs_int DECIMAL(4), dvs_int DECIMAL, n_int NUMERIC(6,4), nzs_int NUMERIC(4), nvs_int NUMERIC,
  d_nan DECIMAL(3,2), dzs_nan DECIMAL(4), dvs_nan DECIMAL, n_nan NUMERIC(6,4), nzs_nan NUMERIC(4), nvs_nan NUMERIC, PRIMARY KEY(pk));
CREATE TABLE with_null_defaults (r int4 NOT NULL, r_numeric numeric(19,4) NULL DEFAULT NULL, r_int int4 NULL DEFAULT NULL);
CREATE TABLE with_defaults (r int4 NOT NULL, r_numeric numeric(19,4) NOT NULL DEFAULT 1, r_int int4 NOT NULL DEFAULT 2);
CREATE TABLE cost (pk SERIAL, cost numeric(12,0) not null default 0.0, PRIMARY KEY(pk));
CREATE TABLE anumeric (pk numeric, aa integer, PRIMARY KEY(pk));
CREATE TABLE mixed (id SERIAL, c1 INT, c3a NUMERIC(5,2), c3b VARCHAR(128), f1 float(10), f2 decimal(8,4), primary key (id));
INSERT INTO numeric_table (si,i,bi,r,db,r_int,db_int,r_nan,db_nan,r_pinf,db_pinf,r_ninf,db_ninf,ss,bs,b,o) VALUES (1,123456,1234567890123,3.3,4.44,3,4,'NaN','NaN','Infinity','Infinity','-Infinity','-Infinity',1,123,true,4000000000);
INSERT INTO numeric_decimal_table (d,dzs,dvs,d_nn,n,nzs,nvs,d_int,dzs_int,dvs_int,n_int,nzs_int,nvs_int) VALUES (1.1,10.11,10.1111,3.30,22.22,22.2,22.2222,1,10,10,22,22,22);
INSERT INTO numeric_decimal_table (d_nn,dvs,nvs,dvs_int,nvs_int,n) VALUES (-0.5,100,1e20,-1e-10,0.000,-0.0001);
INSERT INTO with_null_defaults (r) VALUES (1);
INSERT INTO with_defaults (r) VALUES (1);
INSERT INTO cost (cost) VALUES (2.25),(3),(0);
INSERT INTO cost DEFAULT VALUES;
INSERT INTO anumeric SELECT coalesce(max(pk),0)+1.25, 1 FROM anumeric;
INSERT INTO mixed (c1,c3a,c3b,f1,f2) VALUES (1,12.345,'x',1.5,1234.5678);
