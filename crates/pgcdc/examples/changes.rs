//! Takes the changes of some tables as typed events, in a program without Kafka.
//!
//! ```text
//! cargo run -p pgcdc --no-default-features --example changes -- postgres://user@localhost/shop public.users
//! ```

use pgcdc::{Capture, Datum};

#[tokio::main]
async fn main() -> Result<(), pgcdc::capture::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, tables @ ..] = &arguments[..] else { return usage() };
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let mut changes = Capture::builder(url, &tables)?.changes()?;
    loop {
        let change = tokio::select! {
            change = changes.next() => change,
            // What was acknowledged is confirmed before the program ends.
            _ = tokio::signal::ctrl_c() => return changes.close().await,
        };
        let Some(change) = change else { return changes.finished().await };
        // The one before counts as processed from here on: Postgres need not send it again.
        let row = change.after.as_ref().or(change.before.as_ref());
        let values: Vec<&str> = row.map_or(Vec::new(), |row| row.0.iter().map(text).collect());
        show(&format!("{} {:?} {values:?}", change.relation.name, change.operation));
    }
}

fn text(value: &Datum) -> &str {
    match value {
        Datum::Text(bytes) => std::str::from_utf8(bytes).unwrap_or("(no UTF-8)"),
        Datum::Null => "null",
        Datum::Unchanged => "(unchanged)",
    }
}

fn usage() -> Result<(), pgcdc::capture::Error> {
    show("changes URL TABLE...");
    Ok(())
}

#[allow(clippy::print_stdout)]
fn show(line: &str) {
    println!("{line}");
}
