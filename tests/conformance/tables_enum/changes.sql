INSERT INTO public.enum_test(value,status) VALUES ('Y','open'),(NULL,NULL);
INSERT INTO public.enum_test DEFAULT VALUES;
INSERT INTO test.enum_test(value) VALUES ('B');
INSERT INTO s1.quoted DEFAULT VALUES;
INSERT INTO enum_array_table (value) VALUES ('{X,Y}');
INSERT INTO enumpk VALUES ('A',1);
UPDATE enumpk SET pk = 'B';
-- wait
ALTER TYPE public.test_type ADD VALUE 'Z';
-- wait
INSERT INTO public.enum_test(value) VALUES ('Y');
UPDATE public.enum_test SET value = 'Z' WHERE id = 1;
INSERT INTO enum_array_table (value) VALUES ('{X,Z}');
INSERT INTO public.enum_test(value) VALUES ('Y');
-- wait
ALTER TABLE enum_array_table ADD v2 public.test_type NOT NULL DEFAULT 'Z';
INSERT INTO enum_array_table (value) VALUES ('{Z}');
-- wait
CREATE TABLE later (id int primary key, v public.test_type, a public.test_type[]);
INSERT INTO later VALUES (1,'Z','{Z}');
DELETE FROM public.enum_test WHERE id = 1;
