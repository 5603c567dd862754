-- A dozen pieces of content and a few events. Runs any number of times.
INSERT INTO content (id, slug, title, content_type, length_seconds, publish_ts)
SELECT md5('content ' || n)::uuid,
       'piece-' || n,
       (ARRAY['Morning brief', 'Deep dive', 'Field notes', 'Über Zahlen & “quotes”'])[1 + n % 4] || ' #' || n,
       (ARRAY['podcast', 'newsletter', 'video'])[1 + n % 3],
       CASE WHEN n % 3 = 1 THEN NULL ELSE 60 * n END,
       TIMESTAMPTZ '2025-01-01 06:00:00+00' + n * INTERVAL '1 day 17 minutes'
FROM generate_series(1, 12) AS n
ON CONFLICT (id) DO NOTHING;

INSERT INTO engagement_events (id, content_id, user_id, event_type, event_ts, duration_ms, device, raw_payload)
VALUES
  (-1, md5('content 1')::uuid, md5('user 1')::uuid, 'play',   '2025-03-30 02:30:00.123456+02', 1500, 'ios', '{"app": "4.2", "tags": ["a", "b"]}'),
  (-2, md5('content 2')::uuid, md5('user 1')::uuid, 'pause',  '2025-03-30 01:00:00+00', NULL, 'web-safari', NULL),
  (-3, md5('content 3')::uuid, NULL,                'finish', '1999-12-31 23:59:59.999999+00', 2147483647, 'tv “4k”', '{"nested": {"n": 1.50, "null": null}}'),
  (-4, NULL,                   md5('user 2')::uuid, 'click',  '2025-06-01 12:00:00.5+00', 0, NULL, '[]')
ON CONFLICT (id) DO NOTHING;
