//! One thread that reads tables by ranges of pages. It has a session of its own, and makes records
//! of the rows.

use pgcdc_event::{RecordBatch, Snapshot};
use pgcdc_format::envelope::{Context, RelationEncoder};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::job::{Large, Part, Report, Shared, Task, stopped};
use super::line::Line;
use super::statements::{copy_error, import};
use crate::Result;
use crate::clock::Clock;
use crate::lane::GATHERED;
use crate::postgres::{Piece, RowReader};

/// A row of more bytes than this is encoded only once there is room for its records.
const LARGE: usize = 256 * 1024;

/// Reads tables until no more tasks come. It says by `ready` whether its session sees the snapshot.
/// A failure is reported to the table's reader, and ends the thread.
pub(super) async fn work(
    shared: &Shared,
    mut tasks: mpsc::UnboundedReceiver<Task>,
    ready: oneshot::Sender<Result<()>>,
) {
    let mut reader = match open(shared).await {
        Ok(reader) => reader,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    if ready.send(Ok(())).is_err() {
        return;
    }
    while let Some(task) = tasks.recv().await {
        let out = task.out.clone();
        // Sending fails once the snapshot has failed elsewhere, and then nobody needs the report.
        match read(reader, shared, task).await {
            Ok(back) => {
                reader = back;
                let _ = out.send(Report::Done).await;
            }
            Err(error) => {
                let _ = out.send(Report::Failed(error)).await;
                return;
            }
        }
    }
    if let Err(error) = reader.execute("end the snapshot's transaction", "COMMIT").await {
        tracing::debug!(%error, "a session of the snapshot ended");
    }
    reader.close().await;
}

/// Opens a session that sees the snapshot and locks the tables. The snapshot's first session has
/// locked them already. An `ALTER TABLE` may wait for that session, and this one would wait behind
/// it: a deadlock that the server cannot see. So the lock is taken with `NOWAIT`.
async fn open(shared: &Shared) -> Result<RowReader> {
    let mut reader = RowReader::connect(&shared.connection).await?;
    reader.execute("import the snapshot", &import(&shared.snapshot)).await?;
    reader.execute("lock the snapshot's tables", &shared.lock).await?;
    Ok(reader)
}

/// Reads ranges of one table until none is left. Gives the session back for the next table.
async fn read(mut reader: RowReader, shared: &Shared, task: Task) -> Result<RowReader> {
    let Task { job, encoder, out } = task;
    let mut rows = Rows {
        shared,
        encoder,
        out,
        context: Context { snapshot: Snapshot::True, ..shared.context },
        clock: Clock::default(),
        batch: shared.batch(),
        count: 0,
    };
    while let Some(range) = job.take() {
        let sql = format!("COPY ({}{}) TO STDOUT", job.select, range.condition());
        reader = rows.range(reader, &job.what, &sql).await?;
    }
    rows.flush().await?;
    shared.give_back(rows.batch);
    Ok(reader)
}

/// The rows of one table, and the records that are gathered from them.
struct Rows<'a> {
    /// Room, spare batches and rules, shared with the other threads.
    shared: &'a Shared,
    /// The table's encoder.
    encoder: RelationEncoder,
    /// Where rows go.
    out: mpsc::Sender<Report>,
    /// What records say of their source; the marker is that of a row in the middle.
    context: Context<'static>,
    /// The time of processing that records carry.
    clock: Clock,
    /// Records that are not sent yet.
    batch: RecordBatch,
    /// How many rows the batch has records of.
    count: u64,
}

impl Rows<'_> {
    /// Reads one range. Its first and its last row are handed over unencoded, since their markers
    /// depend on other ranges.
    async fn range(&mut self, mut reader: RowReader, what: &str, sql: &str) -> Result<RowReader> {
        reader.copy(what, sql).await?;
        let mut line = Line::default();
        let (mut read, mut held): (u64, bool) = (0, false);
        loop {
            let piece = reader.next(what).await.map_err(copy_error)?;
            // The row before comes first, so that a large one is out of memory when the next one is
            // copied.
            if std::mem::take(&mut held) {
                // The gathered records may be sent after this row. The order is still right: which
                // row is the table's last is decided when all ranges are read.
                if read == 1 || piece == Piece::End {
                    self.hand_over(std::mem::take(&mut line)).await?;
                } else {
                    self.encode(&mut line).await?;
                }
            }
            match piece {
                Piece::Row => {
                    line.take(&mut reader);
                    (read, held) = (read + 1, true);
                }
                // The capture thread reads the large row. It alone knows when nothing else is in
                // memory.
                Piece::Large => {
                    self.flush().await?;
                    let (back, returned) = oneshot::channel();
                    let large = Large { reader: Box::new(reader), what: what.to_owned(), back };
                    self.out.send(Report::Part(Part::Large(large), None)).await.map_err(|_| stopped())?;
                    reader = *returned.await.map_err(|_| stopped())?;
                    read += 1;
                }
                Piece::End => return Ok(reader),
            }
        }
    }

    /// Makes the row's records, and sends the batch when it is large enough. Before a large row it
    /// sends what was gathered and waits for room for the row and its records.
    async fn encode(&mut self, line: &mut Line) -> Result<()> {
        let large = line.bytes.len() > LARGE;
        let mut room = None;
        if large {
            self.flush().await?;
            room = Some(self.shared.room(2 * line.bytes.len()).await?);
        }
        self.context.now_ns = self.clock.tick();
        line.encode(&mut self.encoder, &self.context, &mut self.batch, &self.shared.tolerance)?;
        self.count += 1;
        if large || self.batch.position() >= GATHERED { self.send(room).await } else { Ok(()) }
    }

    /// Sends a row unencoded: the first or last of its range.
    async fn hand_over(&mut self, line: Line) -> Result<()> {
        let room = self.shared.room(line.bytes.len()).await?;
        self.out.send(Report::Part(Part::Line(line), Some(room))).await.map_err(|_| stopped())
    }

    /// Sends what was gathered.
    async fn flush(&mut self) -> Result<()> {
        if self.count == 0 { Ok(()) } else { self.send(None).await }
    }

    /// Sends the batch, once there is room for it.
    async fn send(&mut self, room: Option<OwnedSemaphorePermit>) -> Result<()> {
        let room = match room {
            Some(room) => room,
            None => self.shared.room(self.batch.position()).await?,
        };
        let batch = std::mem::replace(&mut self.batch, self.shared.batch());
        let rows = std::mem::take(&mut self.count);
        self.out.send(Report::Part(Part::Batch(batch, rows), Some(room))).await.map_err(|_| stopped())
    }
}
