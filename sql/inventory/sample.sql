INSERT INTO inventory.customers (id, first_name, last_name, email, born, balance, tags) VALUES
  (1, 'Ada', 'Okafor', 'ada.okafor@example.test', '1985-02-28', 120.50, '{vip,"early bird"}'),
  (2, 'Jonas', 'Lindqvist', 'jonas@example.test', NULL, -3.10, '{}'),
  (3, 'Mei', 'Tanaka', 'mei.tanaka@example.test', '2001-12-31', 0.00, '{newsletter}'),
  (4, 'Zoë', 'D''Angelo', 'zoe@example.test', '1900-01-01', 99999999.99, '{"a,b","say \"hi\"",NULL}')
ON CONFLICT (id) DO NOTHING;
INSERT INTO inventory.products (id, name, description, weight, price, in_stock, sizes) VALUES
  (1, 'hammer', 'for nails of every kind', 0.875, 14.90, 12, NULL),
  (2, 'boots', 'steel toe caps', 1.8, 89.00, 40, '{38,40,42}'),
  (3, 'string', NULL, 0.0125, 0.99, 32767, '{}'),
  (4, 'anvil', 'two men to lift it', 1e2, 1250.00, 0, NULL)
ON CONFLICT (id) DO NOTHING;
INSERT INTO inventory.orders (id, order_date, purchaser, product_id, quantity, express, placed_at) VALUES
  (1, '2025-01-16', 1, 1, 1, false, '2025-01-16 08:15:00'),
  (2, '2025-01-17', 2, 4, 2, true, '2025-01-17 23:59:59.999999'),
  (3, '2025-02-19', 2, 3, 500, false, '2025-02-19 12:00:00.5'),
  (4, '2025-02-21', 3, 2, 1, true, '2025-02-21 00:00:00')
ON CONFLICT (id) DO NOTHING;
SELECT setval('inventory.customers_id_seq', 1000), setval('inventory.products_id_seq', 1000), setval('inventory.orders_id_seq', 1000);
