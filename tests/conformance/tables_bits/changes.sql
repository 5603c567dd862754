INSERT INTO bitbin_table (ba,bol,bol2,bs,bs7,bv1,bv,bv2,bvl,bvunlimited1,bvunlimited2) VALUES (E'\\001\\002\\003'::bytea,'0'::bit(1),'1'::bit(1),'11'::bit(2),'1'::bit(7),'1'::bit varying(1),'00'::bit(2),'000000110000001000000001'::bit(24),'1000000000000000000000000000000000000000000000000000000000000000'::bit(64),'101','111011010001000110000001000000001');
INSERT INTO bytea_binmode_table (ba,bytea_array) VALUES (E'\\001\\002\\003'::bytea,array[E'\\000\\001\\002'::bytea,E'\\003\\004\\005'::bytea]);
INSERT INTO bitbin_table (bol) VALUES (NULL);
UPDATE bitbin_table SET bol = '1';
