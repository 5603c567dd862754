INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000001','order','o1','OrderCreated','{"a": 1, "b": {"c": ["x", "y"], "d": null}, "e": 1.5, "f": [], "g": [{"h":1},{"h":2}]}','2024-01-01 00:00:00.5',1,'t1'),('00000000-0000-0000-0000-000000000002','user','u1','UserX','not json','2024-01-01',2,NULL),('00000000-0000-0000-0000-000000000003','user','u2',NULL,NULL,NULL,NULL,NULL);
UPDATE outbox SET num=9 WHERE aggregateid='o1';
DELETE FROM outbox;
