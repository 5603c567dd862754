//! `pgcdc slot`: the replication slots of a server.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use pgcdc_capture::config::parse_override;
use pgcdc_capture::slots::{SlotInfo, Slots, may_drop};
use pgcdc_capture::{Capture, CaptureBuilder};
use pgcdc_event::Lsn;

use crate::printer;

/// Arguments of `pgcdc slot`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  pgcdc slot list --config connector.json
  pgcdc slot list --source postgres://postgres@localhost/shop
  pgcdc slot drop cdc_slot --config connector.json
  pgcdc slot advance cdc_slot --to 0/16B3748 --source postgres://postgres@localhost/shop

Exit code: 0 done, 1 refused or failed, 2 wrong usage or configuration."
)]
pub(crate) struct SlotArgs {
    #[command(subcommand)]
    command: SlotCommand,
}

#[derive(Debug, Subcommand)]
enum SlotCommand {
    /// List all slots of the server, with the WAL that each keeps.
    List {
        #[command(flatten)]
        database: Database,
    },
    /// Drop a slot. Changes that its reader has not had are lost for it.
    Drop {
        /// The slot.
        name: String,

        #[command(flatten)]
        database: Database,

        /// Drop it although somebody reads it, whose session is ended, or although it is not decoded by pgoutput.
        #[arg(long)]
        force: bool,

        /// Do not ask on a terminal.
        #[arg(long)]
        yes: bool,
    },
    /// Advance a slot that nobody reads. Changes that are committed up to the new position are skipped.
    Advance {
        /// The slot.
        name: String,

        /// The position in the WAL from which its reader goes on.
        #[arg(long, value_name = "LSN")]
        to: Lsn,

        #[command(flatten)]
        database: Database,

        /// Do not ask on a terminal.
        #[arg(long)]
        yes: bool,
    },
}

/// The server: that of a registration, or a URL.
#[derive(Clone, Debug, Args)]
struct Database {
    /// A Debezium connector's registration, whose database is meant.
    #[arg(long, value_name = "FILE", required_unless_present = "source", conflicts_with = "source")]
    config: Option<PathBuf>,

    /// The database, in place of a file.
    #[arg(long, value_name = "URL")]
    source: Option<String>,

    /// Set a property, over the file's.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Database {
    fn builder(&self) -> anyhow::Result<CaptureBuilder> {
        let overrides = self.set.iter().map(|argument| {
            parse_override(argument).map_err(|error| super::usage(error.to_string(), "write --set key=value"))
        });
        let overrides: Vec<(String, String)> = overrides.collect::<anyhow::Result<_>>()?;
        Ok(match (&self.config, &self.source) {
            (Some(file), _) => Capture::from_file(file, &overrides)?,
            // Only the connection is used: the tables that a capture must name do not matter.
            (None, Some(url)) => Capture::from_url(url, &["public.unused".to_owned()], &overrides)?,
            (None, None) => return Err(super::usage("no database", "give --config FILE, or --source URL")),
        })
    }

    async fn connect(&self) -> anyhow::Result<Slots> {
        Ok(Slots::connect(&self.builder()?.settings().connection).await?)
    }
}

pub(crate) async fn run(args: SlotArgs) -> anyhow::Result<()> {
    match args.command {
        SlotCommand::List { database } => list(&database).await,
        SlotCommand::Drop { name, database, force, yes } => drop_slot(&database, &name, force, yes).await,
        SlotCommand::Advance { name, to, database, yes } => advance(&database, &name, to, yes).await,
    }
}

#[expect(clippy::print_stdout, reason = "the list is this command's output")]
async fn list(database: &Database) -> anyhow::Result<()> {
    let slots = database.connect().await?.list().await?;
    if slots.is_empty() {
        printer::write("the server has no replication slots\n");
        return Ok(());
    }
    print!("{}", table(&slots));
    Ok(())
}

async fn drop_slot(database: &Database, name: &str, force: bool, yes: bool) -> anyhow::Result<()> {
    let slots = database.connect().await?;
    let slot = slots.find(name).await?;
    if !force {
        may_drop(&slot)?;
    }
    let kept =
        slot.retained_bytes.map_or_else(String::new, |bytes| format!(", which keeps {bytes} bytes of WAL"));
    let reader = slot
        .active_pid
        .map_or_else(String::new, |pid| format!(" Process {pid} reads it; its session is ended."));
    printer::write(&format!(
        "slot {name}{kept}: its reader is at {}. Changes from there on are lost for it, and a new slot needs a new snapshot.{reader}\n",
        position(slot.confirmed_flush_lsn)
    ));
    confirm(yes, &format!("drop slot {name}?"))?;
    slots.drop(&slot, force).await?;
    printer::write(&format!("slot {name} dropped\n"));
    Ok(())
}

async fn advance(database: &Database, name: &str, to: Lsn, yes: bool) -> anyhow::Result<()> {
    let slots = database.connect().await?;
    let slot = slots.find(name).await?;
    let skipped = slots.skipped(&slot, to).await?;
    printer::write(&format!(
        "slot {name} goes from {} to {}: changes that are committed within these {} bytes of WAL are skipped.\n\
         A connector that keeps offsets notices that at its next start, and stops; offset.mismatch.strategy=trust_slot lets it go on.\n",
        skipped.from,
        skipped.to,
        skipped.bytes()
    ));
    confirm(yes, &format!("advance slot {name}?"))?;
    let end = slots.advance(&slot, to).await?;
    printer::write(&format!("slot {name} is at {end}\n"));
    Ok(())
}

/// Asks on a terminal; elsewhere nobody is there to ask.
fn confirm(yes: bool, question: &str) -> anyhow::Result<()> {
    if yes || !stdin().is_terminal() {
        return Ok(());
    }
    printer::write(&format!("{question} [y/N] "));
    let _ = stderr().flush();
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    anyhow::ensure!(matches!(answer.trim(), "y" | "Y" | "yes"), "not confirmed: nothing was changed");
    Ok(())
}

/// The slots as a table with a head; columns that this server does not have are left out.
fn table(slots: &[SlotInfo]) -> String {
    let mut rows = vec![
        [
            "name",
            "plugin",
            "database",
            "active",
            "restart_lsn",
            "confirmed_flush_lsn",
            "retained_bytes",
            "wal_status",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    rows.extend(slots.iter().map(|slot| {
        vec![
            slot.name.clone(),
            slot.plugin.clone().unwrap_or_else(|| "(physical)".to_owned()),
            slot.database.clone().unwrap_or_else(|| "-".to_owned()),
            slot.active_pid.map_or_else(|| "no".to_owned(), |pid| format!("pid {pid}")),
            position(slot.restart_lsn),
            position(slot.confirmed_flush_lsn),
            slot.retained_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
            slot.wal_status.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    flags("two_phase", slots, |slot| slot.two_phase, &mut rows);
    flags("failover", slots, |slot| slot.failover, &mut rows);
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> =
        (0..columns).map(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Adds a column of yes and no, if the server has it.
fn flags(name: &str, slots: &[SlotInfo], of: impl Fn(&SlotInfo) -> Option<bool>, rows: &mut [Vec<String>]) {
    if !slots.iter().any(|slot| of(slot).is_some()) {
        return;
    }
    let word = |slot: &SlotInfo| of(slot).map_or("-", |flag| if flag { "yes" } else { "no" });
    let cells = std::iter::once(name).chain(slots.iter().map(word));
    rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell.to_owned()));
}

fn position(lsn: Option<Lsn>) -> String {
    lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string())
}
