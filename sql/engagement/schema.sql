-- Engagement: what users do with content. Runs any number of times.
CREATE TABLE IF NOT EXISTS content (
  id             UUID PRIMARY KEY,
  slug           TEXT UNIQUE NOT NULL,
  title          TEXT NOT NULL,
  content_type   TEXT CHECK (content_type IN ('podcast', 'newsletter', 'video')),
  length_seconds INTEGER,
  publish_ts     TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS engagement_events (
  id          BIGSERIAL PRIMARY KEY,
  content_id  UUID REFERENCES content(id),
  user_id     UUID,
  event_type  TEXT CHECK (event_type IN ('play', 'pause', 'finish', 'click')),
  event_ts    TIMESTAMPTZ NOT NULL,
  duration_ms INTEGER,
  device      TEXT,
  raw_payload JSONB
);

DO $$ BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_publication WHERE pubname = 'engagement_pub') THEN
    CREATE PUBLICATION engagement_pub FOR TABLE content, engagement_events;
  END IF;
END $$;

-- The slot is made by pgcdc at its first start, together with the snapshot that joins it without a gap. To make it by
-- hand, when the rows that are there already do not matter (snapshot.mode=no_data):
--   SELECT pg_create_logical_replication_slot('cdc_slot', 'pgoutput');
-- To give it up, so that it no longer holds WAL back:
--   SELECT pg_drop_replication_slot('cdc_slot');
