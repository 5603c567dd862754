-- CALL load_events(n, per): n events in transactions of `per` rows, about 300 bytes a row, spread over the last five minutes.
-- Every row is a function of its number, so that two loads of the same size hold the same data (but for the time).
INSERT INTO content (id, slug, title, content_type, length_seconds, publish_ts)
SELECT md5('load ' || n)::uuid, 'load-' || n, 'Load piece ' || n, (ARRAY['podcast', 'newsletter', 'video'])[1 + n % 3], 30 + n, now()
FROM generate_series(1, 400) AS n
ON CONFLICT (id) DO NOTHING;

CREATE OR REPLACE PROCEDURE load_events(n INT, per INT) LANGUAGE plpgsql AS $$
DECLARE
  first INT := 1;
BEGIN
  WHILE first <= n LOOP
    INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device, raw_payload)
    SELECT md5('load ' || 1 + (e * 31) % 400)::uuid,
           md5('user ' || e % 20000)::uuid,
           (ARRAY['play', 'pause', 'finish', 'click'])[1 + e % 4],
           date_trunc('milliseconds', clock_timestamp()) - (e % 300) * INTERVAL '1 second',
           (e * 7919::bigint) % 900001,
           (ARRAY['ios', 'android', 'web-firefox', 'web-chrome', 'tv'])[1 + e % 5],
           jsonb_build_object('session', md5('s' || e), 'app', e % 40, 'from', 'https://example.test/article/' || e % 1500,
                              'net', jsonb_build_object('ip', '10.' || e % 199 || '.' || e % 251 || '.7', 'kind', 'wifi'))
    FROM generate_series(first, least(first + per - 1, n)) AS e;
    COMMIT;
    first := first + per;
  END LOOP;
END $$;
