//! The script of the Redis sink, with arguments that are ready.

use std::time::Instant;

use fred::clients::Client;
use fred::interfaces::{ClientLike as _, KeysInterface as _};
use fred::types::config::Config;
use fred::types::scripts::Script;
use fred::types::{Builder, Value};
use futures_util::{StreamExt, TryStreamExt, stream};
use pgcdc_format::decode::{Decoder, instant_us};

use crate::{Level, Result, cpu_seconds};

const LUA: &str = include_str!("../../src/redis/leaderboard.lua");
const BOARD: &str = "bare";

pub(crate) async fn run(records: &[Vec<u8>], topic: &str, url: &str, levels: &[Level]) -> Result<()> {
    let client = Builder::from_config(Config::from_url(url)?).build()?;
    client.init().await?;
    let script = Script::from_lua(LUA);
    script.load(&client).await?;
    let entries: Vec<[String; 7]> =
        records.iter().enumerate().map(|(at, record)| entry(at, topic, record)).collect::<Result<_>>()?;
    for level in levels {
        let Level { first: batch, second: in_flight, .. } = *level;
        let keys = clear(&client).await?;
        let calls: Vec<Vec<Value>> =
            entries.chunks(batch).enumerate().map(|(at, part)| arguments(at * batch, part)).collect();
        let (begin, before) = (Instant::now(), cpu_seconds()?);
        // In order: one connection, one store.
        let calls = calls.into_iter().map(|arguments| {
            let (client, script, keys) = (client.clone(), script.clone(), keys.clone());
            async move { script.evalsha::<Vec<Value>, _, _, _>(&client, keys, arguments).await }
        });
        let mut answers = stream::iter(calls).buffered(in_flight);
        while let Some(answer) = answers.try_next().await? {
            if answer.first().and_then(Value::as_string).as_deref() != Some("ok") {
                return Err(format!("the script answered {answer:?}").into());
            }
        }
        println!(
            "{}",
            serde_json::json!({
                "level": level.to_string(),
                "rows": entries.len(),
                "seconds": begin.elapsed().as_secs_f64(),
                "cpu": cpu_seconds()? - before,
            })
        );
    }
    clear(&client).await?;
    client.quit().await?;
    Ok(())
}

/// Empties the leaderboard; returns its keys.
async fn clear(client: &Client) -> Result<Vec<String>> {
    let mut keys = vec![BOARD.to_owned()];
    keys.extend(["rows", "expiry", "counts", "offsets"].map(|part| format!("{{{BOARD}}}:{part}")));
    client.del::<i64, _>(keys.clone()).await?;
    Ok(keys)
}

fn arguments(first: usize, entries: &[[String; 7]]) -> Vec<Value> {
    let expected = if first == 0 { "-1".to_owned() } else { first.to_string() };
    let window = 3_600_000_000_u64 * 24;
    let head = [window.to_string(), "bare-0".to_owned(), expected, (first + entries.len()).to_string()];
    head.into_iter().map(Value::from).chain([Value::Bytes(packed(entries).into())]).collect()
}

/// An array of short texts in MessagePack.
fn packed(entries: &[[String; 7]]) -> Vec<u8> {
    let count = u32::try_from(entries.len() * 7).unwrap_or(u32::MAX);
    let mut bytes = vec![0xdd];
    bytes.extend_from_slice(&count.to_be_bytes());
    for text in entries.iter().flatten() {
        bytes.extend_from_slice(&[0xd9, u8::try_from(text.len()).unwrap_or(u8::MAX)]);
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn entry(at: usize, topic: &str, record: &[u8]) -> Result<[String; 7]> {
    let change = Decoder::default().decode(None, Some(record))?;
    let row = change.after.as_ref().ok_or("a record without a row")?;
    let text = |name: &str| {
        row.get(name)
            .and_then(|value| value.to_text())
            .map(|text| text.into_owned())
            .ok_or_else(|| format!("no {name}"))
    };
    let time = row
        .field("event_ts")
        .and_then(|field| instant_us(field.value, field.semantic))
        .ok_or("no event_ts")?;
    let lsn = change.source.lsn.ok_or("no LSN")?;
    Ok([
        at.to_string(),
        format!("{topic}:\"{}\"", text("id")?),
        "u".to_owned(),
        time.to_string(),
        text("duration_ms")?,
        text("user_id")?,
        format!("{:020}", lsn.as_u64()),
    ])
}
