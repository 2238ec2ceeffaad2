//! The embedded log: segment files, group commit, nothing to install.
//!
//! A directory per partition, and one thread that appends to it: it takes everything that is queued, compresses it,
//! writes it and syncs once, so that under load a sync is shared by many records, and alone a record does not wait for
//! others. Readers take what is recent from memory, and the rest from the files.

pub mod doctor;
mod files;
mod frame;
mod home;
mod index;
mod mark;
mod recovery;
mod retention;
mod segment;
mod settings;
mod shared;
mod tail;
mod walk;
mod window;
mod writer;

use std::panic;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use bytes::Bytes;
use disk::{Disk, Reserve};
use model::{Invalid, Partition, Position, Timestamp};
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::home::Home;
use self::recovery::{Recovered, recover};
use self::retention::Retention;
use self::shared::Shared;
use self::writer::{Append, Command, Writer};
use crate::{Chunk, Error, EventLog, MAX_RECORD_BYTES, Result};

pub use self::settings::Settings;

/// The event log in a directory of this machine. Dropping it waits until what is queued is durable.
#[derive(Debug)]
pub struct EmbeddedLog {
    partitions: Vec<Opened>,
    room: Arc<Semaphore>,
    max_queued_bytes: u32,
    // Last, so that the directory stays locked until the writers have ended.
    home: Home,
}

/// Where the time comes from.
type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

#[derive(Debug)]
struct Opened {
    shared: Arc<Shared>,
    /// There until the log is dropped.
    commands: Option<mpsc::UnboundedSender<Command>>,
    /// `None` also where it is a task.
    writer: Option<JoinHandle<()>>,
}

impl EmbeddedLog {
    /// Opens the log in `directory`, or makes it, and brings it back to what was durable. Reads the last segment of each
    /// partition, so it may take a second. `now` gives the time that records are stamped with.
    pub fn open(
        directory: impl AsRef<Path>,
        settings: &Settings,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self> {
        Self::open_on(Arc::new(disk::System), directory, settings, now)
    }

    /// The same on any disk. On one whose calls take no time nothing runs on threads: it must be opened within a runtime of
    /// tokio, where its writers are tasks.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        directory: impl AsRef<Path>,
        settings: &Settings,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self> {
        if settings.partitions == 0 {
            return Err(Invalid::new("number of partitions", "0", "a whole number from 1 to 65535").into());
        }
        let now: Now = Arc::new(now);
        let mut home = Home::open(disk, directory.as_ref(), settings.partitions)?;
        let reserve = reserve(&home, directory.as_ref(), settings)?;
        let recovered = recover_all(&home, settings, &reserve, &now)?;
        if home.fresh {
            if recovered.iter().any(|(shared, _)| shared.end() > 0) {
                let what = "its meta file is missing, and with it the number of partitions".to_owned();
                return Err(Error::Corrupt { place: directory.as_ref().display().to_string(), what });
            }
            home.settle(settings.partitions)?;
        }
        let max_queued_bytes =
            settings.max_queued_bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let mut log = Self {
            partitions: Vec::with_capacity(recovered.len()),
            room: Arc::new(Semaphore::new(max_queued_bytes)),
            max_queued_bytes: max_queued_bytes as u32,
            home,
        };
        for (shared, writer) in recovered {
            log.partitions.push(Opened::start(shared, writer)?);
        }
        Ok(log)
    }

    fn opened(&self, partition: Partition) -> Result<&Opened> {
        let missing = Error::NoPartition { asked: partition, partitions: self.partitions() };
        self.partitions.get(usize::from(partition.0)).ok_or(missing)
    }

    /// Runs file reads where they do not hold up the tasks of the runtime: a cold disk takes tens of milliseconds.
    async fn blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if !self.home.disk.waits() {
            return read();
        }
        match tokio::task::spawn_blocking(read).await {
            Ok(result) => result,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => panic::resume_unwind(panic),
                Err(_) => Err(Error::Closed),
            },
        }
    }

    fn queued(&self) {
        let queued = self.max_queued_bytes as usize - self.room.available_permits();
        metrics::gauge!("hitmill_log_queue_bytes").set(queued as f64);
    }
}

impl Opened {
    fn start(shared: Arc<Shared>, writer: Writer) -> Result<Self> {
        let (commands, queue) = mpsc::unbounded_channel();
        if !writer.disk.waits() {
            tokio::spawn(writer.run_as_task(queue));
            return Ok(Self { shared, commands: Some(commands), writer: None });
        }
        let name = format!("log-{}", shared.partition);
        let writer = thread::Builder::new()
            .name(name.clone())
            .spawn(move || writer.run(queue))
            .map_err(|why| Error::Io { doing: "start", place: format!("thread {name}"), why })?;
        Ok(Self { shared, commands: Some(commands), writer: Some(writer) })
    }

    fn send(&self, command: Command) -> Result<()> {
        let commands = self.commands.as_ref().ok_or(Error::Closed)?;
        commands.send(command).map_err(|_| Error::Closed)
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn partitions(&self) -> u16 {
        self.partitions.len() as u16
    }

    async fn append(&self, partition: Partition, record: Bytes) -> Result<Position> {
        let opened = self.opened(partition)?;
        if record.len() > MAX_RECORD_BYTES {
            return Err(Error::TooLarge { bytes: record.len(), limit: MAX_RECORD_BYTES });
        }
        // A record larger than the whole queue takes all of it. The empty one takes a byte, so that it is bounded too.
        let share = (record.len() as u32).clamp(1, self.max_queued_bytes);
        let room = Arc::clone(&self.room).acquire_many_owned(share).await.map_err(|_| Error::Closed)?;
        self.queued();
        let (done, durable) = oneshot::channel();
        opened.send(Command::Append(Append { record, done, _room: room }))?;
        let position = durable.await.map_err(|_| Error::Closed)?;
        self.queued();
        position
    }

    async fn read(&self, partition: Partition, from: Position, max_bytes: usize) -> Result<Chunk> {
        let shared = &self.opened(partition)?.shared;
        let entry = entry_of(from);
        shared.kept(entry)?;
        if entry >= shared.end() {
            return Ok(Chunk { entries: Vec::new(), next: from });
        }
        if let Some(chunk) = shared.tail.read(entry, max_bytes) {
            return Ok(chunk);
        }
        let shared = Arc::clone(shared);
        self.blocking(move || shared.read_files(entry, max_bytes)).await
    }

    async fn wait(&self, partition: Partition, from: Position) -> Result<()> {
        let mut end = self.opened(partition)?.shared.end.subscribe();
        let reached = end.wait_for(|end| *end > entry_of(from)).await;
        reached.map(|_| ()).map_err(|_| Error::Closed)
    }

    async fn first(&self, partition: Partition) -> Result<Position> {
        Ok(Position::of_entry(self.opened(partition)?.shared.first()))
    }

    async fn end(&self, partition: Partition) -> Result<Position> {
        Ok(Position::of_entry(self.opened(partition)?.shared.end()))
    }

    async fn at_or_after(&self, partition: Partition, time: Timestamp) -> Result<Position> {
        let shared = Arc::clone(&self.opened(partition)?.shared);
        self.blocking(move || shared.at_or_after(time)).await.map(Position::of_entry)
    }

    async fn release(&self, partition: Partition, floor: Position) -> Result<()> {
        let opened = self.opened(partition)?;
        opened.shared.raise(entry_of(floor));
        let (done, retained) = oneshot::channel();
        opened.send(Command::Retain(done))?;
        retained.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        for opened in &mut self.partitions {
            opened.commands = None;
        }
        for writer in self.partitions.iter_mut().filter_map(|opened| opened.writer.take()) {
            if writer.join().is_err() {
                tracing::error!("a writer of the event log ended with a panic");
            }
        }
    }
}

/// What is kept free of the disk.
fn reserve(home: &Home, directory: &Path, settings: &Settings) -> Result<Arc<Reserve>> {
    const MOST: u64 = 512 << 20;
    const SHARE: u64 = 10;
    let disk = Arc::clone(&home.disk);
    let reserve = Reserve::new(disk, directory, settings.reserve_bytes, MOST, SHARE);
    Ok(Arc::new(reserve.map_err(files::failed("look at", directory))?))
}

/// All partitions side by side: a start waits for the slowest, not for the sum.
fn recover_all(
    home: &Home,
    settings: &Settings,
    reserve: &Arc<Reserve>,
    now: &Now,
) -> Result<Vec<(Arc<Shared>, Writer)>> {
    let retention = Retention {
        age_ms: settings.retain_age_ms,
        bytes: settings.retain_bytes.map(|bytes| bytes / u64::from(settings.partitions)),
    };
    let one = |partition| {
        let directory = home.directory(partition);
        let recovered = recover(&home.disk, &directory, partition, home.fresh, now())?;
        Ok(ready(home, partition, recovered, settings, reserve, retention, now))
    };
    let partitions = (0..settings.partitions).map(Partition);
    if !home.disk.waits() {
        return partitions.map(one).collect();
    }
    thread::scope(|scope| {
        let threads: Vec<_> = partitions.map(|partition| scope.spawn(move || one(partition))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)))
            .collect()
    })
}

fn ready(
    home: &Home,
    partition: Partition,
    recovered: Recovered,
    settings: &Settings,
    reserve: &Arc<Reserve>,
    retention: Retention,
    now: &Now,
) -> (Arc<Shared>, Writer) {
    let Recovered { segments, last: segment, file, last_at, mark: (mark, noted) } = recovered;
    let shared = Arc::new(Shared::new(partition, segments, segment.end(), settings.tail_bytes));
    let writer = Writer {
        disk: Arc::clone(&home.disk),
        shared: Arc::clone(&shared),
        directory: home.directory(partition),
        segment_bytes: settings.segment_bytes,
        reserve: Arc::clone(reserve),
        retention,
        now: Arc::clone(now),
        segment,
        file,
        mark,
        kept_from: noted.first,
        last_at,
        torn: false,
        encoder: Default::default(),
    };
    (shared, writer)
}

/// The record that a position of this log names. Positions of other back ends are above all of them.
fn entry_of(position: Position) -> u64 {
    if position.ledger == 0 { position.entry } else { u64::MAX }
}
