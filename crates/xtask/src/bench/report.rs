//! What a benchmark prints and writes: contenders × columns as medians of runs, ratios, bars, JSON, a chart.
//!
//! ```text
//! let mut report = Report::new("capture", title, COLUMNS);
//! report.run("pgcdc", &[("events/s", 90_000.0), ("load", 0.3)]);     // once per round and contender
//! report.ratio("pgcdc", "Debezium tuned");                           // a row of ratios of medians
//! report.bar(Bar::ratio("events/s", "pgcdc", Bound::AtLeast(4.0), "Debezium tuned"));
//! report.bar(Bar::value("peak MiB", "pgcdc", Bound::AtMost(64.0)));
//! report.publish(&options.common)?;
//! ```

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::{Common, chart};
use crate::printer;

/// A kind of figure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Head of the table's column and name in the JSON, with its unit.
    pub(super) name: &'static str,
    /// Digits behind the point.
    pub(super) digits: usize,
}

/// A [`Column`] in fewer words, for tables of constants.
pub(super) const fn column(name: &'static str, digits: usize) -> Column {
    Column { name, digits }
}

/// What a bar asks of a figure.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

/// A sentence that the figures make true or false.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    column: &'static str,
    of: String,
    bound: Bound,
    /// The figure is divided by this contender's; none: it is taken as it is.
    base: Option<String>,
}

impl Bar {
    /// A bar on one contender's figure divided by another's.
    pub(super) fn ratio(column: &'static str, of: &str, bound: Bound, base: &str) -> Self {
        Self { column, of: of.to_owned(), bound, base: Some(base.to_owned()) }
    }

    /// A bar on a figure itself.
    pub(super) fn value(column: &'static str, of: &str, bound: Bound) -> Self {
        Self { column, of: of.to_owned(), bound, base: None }
    }
}

struct Contender {
    name: String,
    /// A value per column for each run; a run may have none of some columns.
    runs: Vec<Vec<Option<f64>>>,
}

/// The figures of one benchmark.
pub(super) struct Report {
    command: &'static str,
    title: String,
    columns: &'static [Column],
    contenders: Vec<Contender>,
    ratios: Vec<(String, String)>,
    bars: Vec<Bar>,
    notes: Vec<String>,
    charted: Vec<&'static str>,
}

impl Report {
    /// `command` is the subcommand's name; `title` says what was done, how often, and what the units are.
    pub(super) fn new(command: &'static str, title: String, columns: &'static [Column]) -> Self {
        let (contenders, ratios, bars, notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let charted = columns.iter().take(1).map(|column| column.name).collect();
        Self { command, title, columns, contenders, ratios, bars, notes, charted }
    }

    /// Adds one run's figures, by the columns' names, and prints them. Rows appear in the order of their first runs.
    pub(super) fn run(&mut self, contender: &str, figures: &[(&'static str, f64)]) {
        let find = |column: &Column| figures.iter().find(|(name, _)| *name == column.name).map(|f| f.1);
        let values: Vec<Option<f64>> = self.columns.iter().map(find).collect();
        let cells = self.columns.iter().zip(&values);
        let cells = cells.filter_map(|(c, v)| v.map(|v| format!("{} {v:.*}", c.name, c.digits)));
        let text = cells.collect::<Vec<_>>().join(", ");
        let row = match self.contenders.iter_mut().position(|known| known.name == contender) {
            Some(index) => &mut self.contenders[index],
            None => {
                self.contenders.push(Contender { name: contender.to_owned(), runs: Vec::new() });
                let last = self.contenders.len() - 1;
                &mut self.contenders[last]
            }
        };
        row.runs.push(values);
        printer::say(&format!("{contender}, run {}: {text}", row.runs.len()));
    }

    /// Asks for a row with `of`'s medians divided by `base`'s; nothing happens when one of them did not run.
    pub(super) fn ratio(&mut self, of: &str, base: &str) {
        self.ratios.push((of.to_owned(), base.to_owned()));
    }

    /// Adds a bar; it is "not measured" when a contender did not run.
    pub(super) fn bar(&mut self, bar: Bar) {
        self.bars.push(bar);
    }

    /// Adds a sentence below the table.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Chooses the columns that the chart shows, a panel each; without this, the first.
    pub(super) fn chart(&mut self, columns: &[&'static str]) {
        self.charted = columns.to_vec();
    }

    /// The median of a contender's runs; none when it did not run or has no such figure.
    pub(super) fn median(&self, contender: &str, column: &str) -> Option<f64> {
        let index = self.columns.iter().position(|known| known.name == column)?;
        let row = self.contenders.iter().find(|known| known.name == contender)?;
        median(row.runs.iter().filter_map(|run| run.get(index).copied().flatten()).collect())
    }

    /// Prints the table; writes JSON and chart where the options say so.
    pub(super) fn publish(&self, options: &Common) -> Result<()> {
        self.print();
        if let Some(file) = &options.json {
            let text = format!("{:#}\n", self.json());
            std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        if let Some(file) = &options.chart {
            let panels = self.panels();
            std::fs::write(file, chart::svg(&self.title, &panels))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(())
    }

    fn print(&self) {
        let head = std::iter::once("median of runs").chain(self.columns.iter().map(|column| column.name));
        let mut table = vec![head.map(str::to_owned).collect::<Vec<_>>()];
        for row in &self.contenders {
            let cells = self.columns.iter().map(|column| {
                let value = self.median(&row.name, column.name);
                value.map_or_else(|| "-".to_owned(), |value| format!("{value:.*}", column.digits))
            });
            table.push(std::iter::once(row.name.clone()).chain(cells).collect());
        }
        for (of, base) in self.ratios.iter().filter(|(of, base)| self.has(of) && self.has(base)) {
            let cells = self.columns.iter().map(|column| {
                let ratio = self.quotient(of, base, column.name);
                ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"))
            });
            table.push(std::iter::once(format!("{of} / {base}")).chain(cells).collect());
        }
        printer::line(&format!("\n{}", self.title));
        printer::table(&table);
        for note in &self.notes {
            printer::line(note);
        }
        for bar in &self.bars {
            printer::line(&format!("bar: {}", self.verdict(bar).0));
        }
    }

    fn has(&self, contender: &str) -> bool {
        self.contenders.iter().any(|row| row.name == contender)
    }

    fn quotient(&self, of: &str, base: &str, column: &str) -> Option<f64> {
        let base = self.median(base, column).filter(|base| *base > 0.0)?;
        Some(self.median(of, column)? / base)
    }

    /// The sentence, the measured figure and whether the bar is met; the last two are none when it was not measured.
    fn verdict(&self, bar: &Bar) -> (String, Option<f64>, Option<bool>) {
        let value = match &bar.base {
            Some(base) => self.quotient(&bar.of, base, bar.column),
            None => self.median(&bar.of, bar.column),
        };
        let (sign, limit, met) = match bar.bound {
            Bound::AtLeast(limit) => ("≥", limit, value.map(|value| value >= limit)),
            Bound::AtMost(limit) => ("≤", limit, value.map(|value| value <= limit)),
            Bound::Below(limit) => ("<", limit, value.map(|value| value < limit)),
        };
        let (base, limit) = match &bar.base {
            Some(base) => (format!(" × {base}"), format!("{limit}")),
            None => (String::new(), format!("{limit}")),
        };
        let verdict = match (value, met) {
            (Some(value), Some(true)) => format!("met ({value:.3})"),
            (Some(value), _) => format!("NOT met ({value:.3})"),
            (None, _) => "not measured".to_owned(),
        };
        (format!("{} of {} {sign} {limit}{base}: {verdict}", bar.column, bar.of), value, met)
    }

    fn json(&self) -> Value {
        let named = |values: &mut dyn Iterator<Item = (&'static str, Option<f64>)>| {
            let known = values.filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
            Value::Object(known.collect::<Map<_, _>>())
        };
        let contenders = self.contenders.iter().map(|row| {
            let runs = row.runs.iter().map(|run| {
                named(&mut self.columns.iter().zip(run).map(|(column, value)| (column.name, *value)))
            });
            let medians = self.columns.iter().map(|c| (c.name, self.median(&row.name, c.name)));
            let one = json!({"median": named(&mut medians.into_iter()), "runs": runs.collect::<Vec<_>>()});
            (row.name.clone(), one)
        });
        let ratios =
            self.ratios.iter().filter(|(of, base)| self.has(of) && self.has(base)).map(|(of, base)| {
                let mut cells = self.columns.iter().map(|c| (c.name, self.quotient(of, base, c.name)));
                json!({"of": of, "base": base, "ratios": named(&mut cells)})
            });
        let bars = self.bars.iter().map(|bar| {
            let (text, value, met) = self.verdict(bar);
            json!({"text": text, "value": value, "met": met})
        });
        json!({
            "benchmark": self.command,
            "title": self.title,
            "machine": machine(),
            "contenders": contenders.collect::<Map<_, _>>(),
            "ratios": ratios.collect::<Vec<_>>(),
            "bars": bars.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }

    fn panels(&self) -> Vec<chart::Panel> {
        let panel = |name: &&'static str| {
            let digits = self.columns.iter().find(|column| column.name == *name).map_or(0, |c| c.digits);
            let bars = self.contenders.iter().filter_map(|row| {
                let value = self.median(&row.name, name)?;
                let ours = row.name.starts_with("pgcdc");
                Some(chart::Bar { label: row.name.clone(), value, ours })
            });
            chart::Panel { title: (*name).to_owned(), digits, bars: bars.collect() }
        };
        self.charted.iter().map(panel).filter(|panel| !panel.bars.is_empty()).collect()
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

/// The machine: without it figures cannot be compared with figures from elsewhere.
fn machine() -> Value {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    json!({
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "processor": field(&read("/proc/cpuinfo"), "model name"),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Bar, Bound, Report, column, median};

    const COLUMNS: &[super::Column] = &[column("events/s", 0), column("CPU", 2)];

    fn report() -> Report {
        let mut report = Report::new("test", "a title".to_owned(), COLUMNS);
        for rate in [90.0, 100.0, 400.0] {
            report.run("pgcdc", &[("events/s", rate)]);
        }
        report.run("other", &[("events/s", 50.0), ("CPU", 2.0)]);
        report
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn bars_compare_medians() {
        let report = report();
        let verdict = |bar| report.verdict(&bar).2;
        assert_eq!(verdict(Bar::ratio("events/s", "pgcdc", Bound::AtLeast(2.0), "other")), Some(true));
        assert_eq!(verdict(Bar::ratio("events/s", "pgcdc", Bound::AtLeast(2.1), "other")), Some(false));
        assert_eq!(verdict(Bar::value("events/s", "pgcdc", Bound::Below(100.0))), Some(false));
        assert_eq!(
            verdict(Bar::value("CPU", "pgcdc", Bound::AtMost(1.0))),
            None,
            "a figure that nobody took"
        );
        assert_eq!(verdict(Bar::ratio("events/s", "pgcdc", Bound::AtMost(1.0), "nobody")), None);
    }

    #[test]
    fn json_has_runs_medians_and_verdicts() {
        let mut report = report();
        report.ratio("pgcdc", "other");
        report.bar(Bar::ratio("events/s", "pgcdc", Bound::AtLeast(1.0), "other"));
        let json = report.json();
        assert_eq!(json["contenders"]["pgcdc"]["runs"][2]["events/s"], 400.0);
        assert_eq!(json["contenders"]["pgcdc"]["median"]["events/s"], 100.0);
        assert_eq!(json["ratios"][0]["ratios"]["events/s"], 2.0);
        assert_eq!(json["bars"][0]["met"], true);
    }
}
