//! The changes in Postgres during the demo.

use std::time::{Duration, Instant};

use anyhow::Result;
use pgcdc_testbed::PostgresClient;

use super::DATABASE;
use crate::cargo;

/// Schema, sample rows, and `rows` more.
pub(super) fn load(postgres: PostgresClient, rows: u32) -> Result<()> {
    postgres.create_database(DATABASE)?;
    for file in ["schema.sql", "sample.sql", "load.sql"] {
        postgres.sql_file(DATABASE, cargo::root().join("sql/engagement").join(file))?;
    }
    postgres.sql(DATABASE, &format!("CALL load_events({rows}, 500)"))?;
    Ok(())
}

/// Inserts, updates and deletes, five transactions a second. Some inserts are almost ten minutes old: they leave the
/// leaderboard while one watches.
pub(super) fn run(postgres: PostgresClient, length: Duration) -> Result<()> {
    let end = Instant::now() + length;
    let mut round = 0;
    while Instant::now() < end {
        postgres.sql(
            DATABASE,
            &format!(
                "BEGIN;
                 INSERT INTO engagement_events (content_id, user_id, event_type, event_ts, duration_ms, device, raw_payload)
                 SELECT md5('load ' || 1 + n % 400)::uuid, gen_random_uuid(), 'play', clock_timestamp(), 100000 + n, 'live', '{{\"round\": {round}}}'
                 FROM generate_series(1, 40) AS n;
                 INSERT INTO engagement_events (content_id, event_type, event_ts, duration_ms)
                 SELECT id, 'finish', now() - INTERVAL '9 minutes 55 seconds', 5000000 FROM content LIMIT 3;
                 UPDATE engagement_events SET duration_ms = duration_ms + 17, device = 'updated ' || {round} WHERE id % 101 = {round} % 101;
                 UPDATE engagement_events SET raw_payload = NULL, event_type = 'pause' WHERE id % 307 = {round} % 307;
                 DELETE FROM engagement_events WHERE id % 211 = {round} % 211;
                 COMMIT;"
            ),
        )?;
        round += 1;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}
