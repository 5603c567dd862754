INSERT INTO s2.t VALUES (1); INSERT INTO orders_1 VALUES (1); INSERT INTO orders_2 VALUES (2); INSERT INTO "Mix ed" VALUES (1);
SELECT pg_logical_emit_message(true,'p','m');
