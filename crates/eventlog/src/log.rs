use async_trait::async_trait;
use bytes::Bytes;
use model::{Partition, Position, Timestamp};

use crate::Result;

/// Bytes of the largest record that every log takes. Pulsar refuses messages above 5 MiB unless it is told otherwise.
pub const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// The partitioned, replayable sequence of records.
///
/// An implementer owes:
///
/// * **Durability.** Once [`append`](EventLog::append) has returned a position, every later read that covers it returns
///   the record with the same bytes, also after a crash of the process or of the machine. A record whose append did
///   not return may be there or not, but never in part.
/// * **Order.** Positions of a partition rise in the order in which appends are made durable. A record keeps its
///   position for ever; no other record ever gets it.
/// * **No gaps.** A read from a position returns the records in order with none left out. If records at or after the
///   asked position are gone (retention) or damaged, the read fails and says so; it never skips in silence.
/// * **No memory of readers.** Readers always name their position. Any number of them read side by side.
/// * **Retention never outruns the slowest reader that matters.** Nothing at or above the floor set with
///   [`release`](EventLog::release) is ever deleted, and nothing at all before a floor was set.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// How many partitions there are, numbered from 0. Fixed for the life of the log.
    fn partitions(&self) -> u16;

    /// Appends one record; when it returns, the record is durable. Appends made at the same time may share one flush.
    /// Fails with [`Kind::Unavailable`](model::Kind::Unavailable) when the disk is full, having written nothing that will
    /// be read, or when the back end is away: then the record may be there, even twice, as nobody can tell what a lost
    /// answer said. A failed flush to the disk ends the process. A record of up to [`MAX_RECORD_BYTES`] is taken, a
    /// larger one refused.
    async fn append(&self, partition: Partition, record: Bytes) -> Result<Position>;

    /// Reads records from the first one at or after `from`: at least one if there is one, then more up to about
    /// `max_bytes`. An empty chunk means that the end was reached.
    async fn read(&self, partition: Partition, from: Position, max_bytes: usize) -> Result<Chunk>;

    /// Returns when there is a durable record at or after `from`.
    async fn wait(&self, partition: Partition, from: Position) -> Result<()>;

    /// Position of the oldest record that is kept, or [`end`](EventLog::end) if there is none.
    async fn first(&self, partition: Partition) -> Result<Position>;

    /// A position above every durable record and at or below every later one.
    async fn end(&self, partition: Partition) -> Result<Position>;

    /// Position of the first kept record that was appended at `time` or later, or [`end`](EventLog::end).
    async fn at_or_after(&self, partition: Partition, time: Timestamp) -> Result<Position>;

    /// Says that nobody needs records below `floor` for the numbers to be right: retention may delete them when they
    /// are also older, or more, than the settings keep. Floors only rise.
    async fn release(&self, partition: Partition, floor: Position) -> Result<()>;
}

/// Some consecutive records of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The records, in order.
    pub entries: Vec<Entry>,
    /// Where to read on: above the last entry, or the asked position if there is none.
    pub next: Position,
}

/// One record as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the partition.
    pub position: Position,
    /// When the log took it.
    pub appended_at: Timestamp,
    /// Its bytes.
    pub record: Bytes,
}
