//! Medians, ratios, and the bar.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::measure::Figures;
use crate::printer;

type Column = fn(&Figures, f64) -> f64;

/// Name, value per run (given the number of rows in millions), digits.
const COLUMNS: [(&str, Column, usize); 6] = [
    ("events/s", |f, millions| millions * 1e6 / f.seconds, 0),
    ("CPU-s/million", |f, millions| f.cpu / millions, 2),
    ("walsender", |f, millions| f.walsender_cpu / millions, 2),
    ("broker", |f, millions| f.broker_cpu / millions, 2),
    ("peak MiB", |f, _| f.peak_bytes as f64 / 1_048_576.0, 1),
    ("load", |f, _| f.load, 2),
];

pub(super) fn print(rows: u32, limit: &[Figures], ours: &[Figures]) {
    let millions = f64::from(rows) / 1e6;
    let mut table = vec![
        std::iter::once("median of runs").chain(COLUMNS.map(|column| column.0)).map(str::to_owned).collect(),
    ];
    for (name, runs) in [("pg_recvlogical > /dev/null", limit), ("pgcdc stream > Kafka", ours)] {
        let cells = COLUMNS.iter().map(|(_, value, digits)| {
            format!("{:.digits$}", median(runs, *value, millions), digits = *digits)
        });
        table.push(std::iter::once(name.to_owned()).chain(cells).collect::<Vec<_>>());
    }
    let ratio = |value: Column| {
        let base = median(limit, value, millions);
        if base > 0.0 { format!("{:.2}", median(ours, value, millions) / base) } else { "-".to_owned() }
    };
    table.push(std::iter::once("ratio".to_owned()).chain(COLUMNS.map(|column| ratio(column.1))).collect());
    printer::line(&format!(
        "\nbacklog of {rows} rows, {} runs each, in turns; walsender and broker in CPU-s/million too",
        limit.len()
    ));
    printer::table(&table);
    let (rate, peak) = (COLUMNS[0].1, COLUMNS[4].1);
    let fast = median(ours, rate, millions) >= 40_000.0
        || median(ours, rate, millions) >= median(limit, rate, millions) / 2.0;
    let small = median(ours, peak, millions) < 100.0;
    let word = |met: bool| if met { "met" } else { "NOT met" };
    printer::line(&format!(
        "bar: 40,000 events/s or half of pg_recvlogical: {}; under 100 MiB: {}",
        word(fast),
        word(small)
    ));
}

pub(super) fn write(file: &Path, rows: u32, limit: &[Figures], ours: &[Figures]) -> Result<()> {
    let millions = f64::from(rows) / 1e6;
    let runs = |runs: &[Figures]| -> Value {
        let one = |f: &Figures| {
            COLUMNS.iter().map(|(name, value, _)| ((*name).to_owned(), json!(value(f, millions)))).collect()
        };
        runs.iter().map(|f| Value::Object(one(f))).collect()
    };
    let medians = |runs: &[Figures]| -> Value {
        Value::Object(
            COLUMNS
                .iter()
                .map(|(name, value, _)| ((*name).to_owned(), json!(median(runs, *value, millions))))
                .collect(),
        )
    };
    let all = json!({
        "rows": rows,
        "pg_recvlogical": {"median": medians(limit), "runs": runs(limit)},
        "pgcdc": {"median": medians(ours), "runs": runs(ours)},
    });
    std::fs::write(file, format!("{all:#}\n")).with_context(|| format!("cannot write {}", file.display()))
}

fn median(runs: &[Figures], value: Column, millions: f64) -> f64 {
    let mut values: Vec<f64> = runs.iter().map(|figures| value(figures, millions)).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(one), 1) => *one,
        (Some(upper), _) => (values[middle - 1] + upper) / 2.0,
        (None, _) => f64::NAN,
    }
}
