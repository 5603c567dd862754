INSERT INTO users (id, name, email, is_active, profile, created_at, updated_at) VALUES
  (1, 'Ines', 'ines@example.test', true, '{"lang": "pt", "score": 12.75}', '2025-01-05 10:00:00+00', NULL),
  (2, 'Bo', 'bo@example.test', false, '{}', '2025-01-06 23:30:00.25-05', '2025-02-01 00:00:00'),
  (3, '佐藤 🌸', 'sato@example.test', true, '{"lang": "ja", "tags": []}', '2025-01-07 00:00:00+09', '2025-01-07 12:34:56.789')
ON CONFLICT (id) DO NOTHING;
INSERT INTO orders (id, user_id, status, amount, currency, items, note, ordered_on, created_at) VALUES
  ('0b9c7d10-0000-4000-8000-000000000001', 1, 'paid', 19.90, 'EUR', '{socks,hat}', NULL, '2025-01-08', '2025-01-08 08:00:00+00'),
  ('0b9c7d10-0000-4000-8000-000000000002', 1, 'returned', -19.90, 'EUR', '{hat}', 'too small' || chr(10) || 'second line', '2025-01-20', '2025-01-20 09:15:00.001+00'),
  ('0b9c7d10-0000-4000-8000-000000000003', 3, 'new', 0.00, 'JPY', '{}', '', '2025-02-28', '2025-02-28 15:00:00+09')
ON CONFLICT (id) DO NOTHING;
SELECT setval(pg_get_serial_sequence('users', 'id'), 1000);
