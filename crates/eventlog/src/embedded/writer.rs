use std::collections::VecDeque;
use std::io;
use std::iter;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use disk::{Disk, File, Reserve};
use model::{Position, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Now;
use super::files::{failed, segment_path};
use super::frame::{Encoder, HEAD_BYTES, Stamp};
use super::index::Place;
use super::mark::{Mark, MarkFile};
use super::retention::Retention;
use super::segment::Segment;
use super::shared::Shared;
use crate::{Entry, Error, Result};

/// Frames are handed to the system when there are this many bytes of them; it bounds the encoder's memory.
const WRITE_BYTES: usize = 4 * 1024 * 1024;

/// What the writer of a partition is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Make a record durable.
    Append(Append),
    /// Delete what retention does not keep; answered when it is done.
    Retain(oneshot::Sender<Result<()>>),
}

/// A record on its way to the disk.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) record: Bytes,
    pub(super) done: oneshot::Sender<Result<Position>>,
    /// Its share of the queue, given back when it is dropped.
    pub(super) _room: OwnedSemaphorePermit,
}

/// The one who appends to a partition, on a thread or task of its own.
pub(super) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) shared: Arc<Shared>,
    pub(super) directory: std::path::PathBuf,
    pub(super) segment_bytes: u64,
    pub(super) reserve: Arc<Reserve>,
    pub(super) retention: Retention,
    pub(super) now: Now,
    /// The last segment and its file.
    pub(super) segment: Arc<Segment>,
    pub(super) file: Box<dyn File>,
    /// Where it is noted how far the partition is durable, and the oldest record that retention keeps.
    pub(super) mark: MarkFile,
    pub(super) kept_from: u64,
    /// The time of the last record: the clock may go back, the log does not.
    pub(super) last_at: Timestamp,
    /// Bytes of a failed write may be behind the durable ones.
    pub(super) torn: bool,
    pub(super) encoder: Encoder,
}

impl Writer {
    /// Works until everyone who sends commands is gone, and all of them are carried out.
    pub(super) fn run(mut self, mut commands: UnboundedReceiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            self.carry_out(first, &mut commands);
        }
    }

    /// The same, where the disk never waits.
    pub(super) async fn run_as_task(mut self, mut commands: UnboundedReceiver<Command>) {
        while let Some(first) = commands.recv().await {
            let delay = self.disk.delay();
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            self.carry_out(first, &mut commands);
        }
    }

    fn carry_out(&mut self, first: Command, more: &mut UnboundedReceiver<Command>) {
        let mut group = VecDeque::new();
        let mut retain = Vec::new();
        // Everything that came in during the last sync shares the next one.
        for command in iter::once(first).chain(iter::from_fn(|| more.try_recv().ok())) {
            match command {
                Command::Append(append) => group.push_back(append),
                Command::Retain(done) => retain.push(done),
            }
        }
        self.commit(group);
        for done in retain {
            // Who asked may have gone; nothing depends on the answer.
            let _ = done.send(self.retain());
        }
    }

    /// Makes all records of a group durable, or says to each why not.
    fn commit(&mut self, mut group: VecDeque<Append>) {
        while !group.is_empty() {
            if let Err(error) = self.commit_run(&mut group) {
                tracing::warn!(partition = %self.shared.partition, records = group.len(), %error, "refused records");
                for append in group.drain(..) {
                    let _ = append.done.send(Err(again(&error)));
                }
            }
        }
    }

    /// Makes as many records durable as the segment takes: one flush.
    fn commit_run(&mut self, group: &mut VecDeque<Append>) -> Result<()> {
        if self.torn {
            self.undo()?;
        }
        self.reserve.check().map_err(failed("write", self.segment.path()))?;
        if self.segment.bytes() >= self.segment_bytes && self.segment.end() > self.segment.first() {
            self.seal()?;
        }
        let run = match self.write(group) {
            Ok(run) => run,
            Err(error) => {
                self.torn = true;
                // Tried again before the next write if it fails now.
                if let Err(error) = self.undo() {
                    tracing::warn!(%error, "failed to take a failed write back");
                }
                return Err(error);
            }
        };
        self.sync();
        self.note(self.segment.end() + run.stamps.len() as u64);
        self.publish(run, group);
        Ok(())
    }

    /// Writes records behind the durable ones until the segment is full.
    fn write(&mut self, group: &VecDeque<Append>) -> Result<Run> {
        let seed = self.segment.header(&*self.file)?.seed;
        let first = self.segment.end();
        let mut run = Run { stamps: Vec::with_capacity(group.len()), bytes: self.segment.bytes(), raw: 0 };
        let mut written = run.bytes;
        self.encoder.clear();
        for (entry, append) in (first..).zip(group) {
            if run.bytes >= self.segment_bytes && !run.stamps.is_empty() {
                break;
            }
            let stamp = Stamp { entry, group: first, appended_at: self.tick() };
            run.stamps.push((Place { entry, offset: run.bytes }, stamp.appended_at));
            self.encoder.push(seed, stamp, &append.record);
            run.raw += append.record.len();
            run.bytes = written + self.encoder.bytes().len() as u64;
            if self.encoder.bytes().len() >= WRITE_BYTES {
                self.hand_over(written)?;
                written = run.bytes;
            }
        }
        self.hand_over(written)?;
        Ok(run)
    }

    fn hand_over(&mut self, offset: u64) -> Result<()> {
        self.file.write_all_at(self.encoder.bytes(), offset).map_err(failed("write", self.segment.path()))?;
        self.encoder.clear();
        Ok(())
    }

    fn sync(&self) {
        let started = Instant::now();
        if let Err(error) = self.file.sync_data() {
            self.give_up(&error);
        }
        metrics::counter!("hitmill_log_fsyncs_total").increment(1);
        metrics::histogram!("hitmill_log_fsync_seconds").record(started.elapsed());
    }

    /// Notes that everything before `end` is durable. Before it is acknowledged, so that what was is noted, too.
    fn note(&self, end: u64) {
        let mark = Mark { first: self.kept_from, end };
        // Without it less is known about damage, and nothing is lost.
        if let Err(error) = mark.write(&self.mark) {
            tracing::warn!(partition = %self.shared.partition, %error, "failed to note how far the log is durable");
        }
    }

    /// Shows durable records to the readers, then tells those who wait for them.
    fn publish(&mut self, run: Run, group: &mut VecDeque<Append>) {
        let durable: Vec<_> = run.stamps.iter().zip(group.drain(..run.stamps.len())).collect();
        let stored = run.bytes - self.segment.bytes() - (durable.len() * HEAD_BYTES) as u64;
        metrics::counter!("hitmill_log_records_total").increment(durable.len() as u64);
        metrics::counter!("hitmill_log_raw_bytes_total").increment(run.raw as u64);
        metrics::counter!("hitmill_log_stored_bytes_total").increment(stored);
        let end = self.segment.end() + durable.len() as u64;
        self.segment.extend(run.stamps.iter().map(|(place, _)| *place), end, run.bytes);
        self.shared.tail.push(durable.iter().map(|((place, appended_at), append)| Entry {
            position: Position::of_entry(place.entry),
            appended_at: *appended_at,
            record: append.record.clone(),
        }));
        self.shared.end.send_replace(end);
        for ((place, _), append) in durable {
            // Who appended may have gone; the record stays.
            let _ = append.done.send(Ok(Position::of_entry(place.entry)));
        }
    }

    /// Goes on in a new segment. The old one is durable: every run ends with a sync.
    fn seal(&mut self) -> Result<()> {
        let (first, at) = (self.segment.end(), self.tick());
        match Segment::create(&self.disk, &self.directory, self.shared.partition, first, at) {
            Ok((segment, file)) => {
                self.segment = Arc::new(segment);
                self.file = file;
            }
            Err(error) => {
                // Even after a failed sync it is safe to go on: the file has no record, and the next attempt starts
                // from an empty one. What cannot be deleted here, it overwrites.
                let _ = self.disk.remove(&segment_path(&self.directory, first));
                return Err(error);
            }
        }
        self.shared.segments.write().push_back(Arc::clone(&self.segment));
        if let Err(error) = self.retain() {
            tracing::warn!(%error, "failed to delete what retention does not keep");
        }
        Ok(())
    }

    /// Takes back what a failed write may have left behind the durable records. Else bytes of refused records could
    /// turn up as the frames behind a later, shorter write.
    fn undo(&mut self) -> Result<()> {
        self.file.set_len(self.segment.bytes()).map_err(failed("cut", self.segment.path()))?;
        if let Err(error) = self.file.sync_all() {
            self.give_up(&error);
        }
        self.torn = false;
        Ok(())
    }

    fn retain(&mut self) -> Result<()> {
        let Self { shared, mark, kept_from, directory, .. } = self;
        let note = |first| {
            *kept_from = first;
            let noted = Mark { first, end: shared.end() }.write(mark).and_then(|()| mark.sync());
            match noted {
                // A full disk is what deleting helps against.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
                noted => noted.map_err(failed("note what is kept of", directory)),
            }
        };
        self.retention.enforce(shared, (self.now)(), note)
    }

    fn tick(&mut self) -> Timestamp {
        self.last_at = self.last_at.max((self.now)());
        self.last_at
    }

    /// Ends the process. After a failed sync nothing is known about what is on the disk: the system may have dropped the
    /// dirty pages and marked them clean, so that a second sync would succeed without having written them. Only a new
    /// process, which reads the files back, can know.
    fn give_up(&self, error: &io::Error) -> ! {
        let file = self.segment.path().display();
        tracing::error!(%file, %error, "failed to sync the event log: ending the process");
        self.disk.end_process()
    }
}

/// Records that were written and not yet synced.
struct Run {
    stamps: Vec<(Place, Timestamp)>,
    /// The length of the file with them.
    bytes: u64,
    raw: usize,
}

/// The same failure for one more of those who wait.
fn again(error: &Error) -> Error {
    match error {
        Error::Io { doing, place, why } => {
            let why = match why.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(why.kind(), why.to_string()),
            };
            Error::Io { doing, place: place.clone(), why }
        }
        Error::Corrupt { place, what } => Error::Corrupt { place: place.clone(), what: what.clone() },
        _ => Error::Closed,
    }
}
