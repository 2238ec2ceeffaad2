//! Reading one partition.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use model::{Partition, Position, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::time::{Instant, timeout, timeout_at};

use super::admin::failed;
use super::cursor::{Cursor, Next};
use super::cursors::{Cursors, InUse};
use super::ledgers::{InternalStats, Ledgers};
use super::link::{Link, missing, timed_out};
use super::setup::{path_of, topic_of};
use crate::{Chunk, Error, Result};

/// How much the clocks of those who append may differ.
const CLOCKS_AGREE_MS: i64 = 1_000;
/// How long a reader may take to say where the end is. Records that wait in it keep it from answering.
const ASK: Duration = Duration::from_secs(3);
/// How often a reader that waits makes sure that it has not been forgotten.
const WATCH: Duration = Duration::from_secs(5);
/// How long after a failure the next try comes.
const PAUSE: Duration = Duration::from_millis(100);

/// A partition, to be read.
pub(super) struct Part {
    link: Arc<Link>,
    number: Partition,
    topic: String,
    path: String,
    cursors: Cursors,
    /// The ledgers when they were listed last.
    known: Mutex<Arc<Ledgers>>,
}

/// Why a cursor did not bring what was asked.
enum Trouble {
    /// Another cursor may.
    Lost(io::Error),
    /// No other would do better.
    Failed(Error),
}

type Tried<T> = std::result::Result<T, Trouble>;

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Part {
    pub(super) fn new(link: Arc<Link>, number: Partition, namespace: &str) -> Self {
        Self {
            link,
            number,
            topic: topic_of(namespace, number),
            path: path_of(namespace, number),
            cursors: Cursors::default(),
            known: Mutex::default(),
        }
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Closes the readers that nobody has used for long.
    pub(super) fn sweep(&self, now: std::time::Instant) {
        self.cursors.sweep(now);
    }

    pub(super) async fn read(&self, from: Position, max_bytes: usize) -> Result<Chunk> {
        let deadline = Instant::now() + self.link.limit;
        loop {
            match self.try_read(from, max_bytes, deadline).await {
                Ok(chunk) => return Ok(chunk),
                Err(Trouble::Failed(error)) => return Err(error),
                Err(Trouble::Lost(why)) if Instant::now() + PAUSE >= deadline => {
                    return Err(failed("read", &self.topic, why));
                }
                Err(Trouble::Lost(why)) => self.log_lost(&why),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn wait(&self, from: Position) -> Result<()> {
        let mut failing_since: Option<Instant> = None;
        loop {
            match self.try_wait(from).await {
                Ok(true) => return Ok(()),
                Ok(false) => failing_since = None,
                Err(Trouble::Failed(error)) => return Err(error),
                Err(Trouble::Lost(why)) => {
                    self.log_lost(&why);
                    if failing_since.get_or_insert_with(Instant::now).elapsed() > self.link.limit {
                        return Err(failed("read", &self.topic, why));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    pub(super) async fn first(&self) -> Result<Position> {
        // Nothing is at or above the start of an empty partition, and that is its end, too.
        Ok(self.ledgers().await?.first().unwrap_or(Position::START))
    }

    pub(super) async fn end(&self) -> Result<Position> {
        Ok(self.last().await?.map_or(Position::START, Position::next))
    }

    pub(super) async fn at_or_after(&self, time: Timestamp) -> Result<Position> {
        const CHUNK: usize = 1024 * 1024;
        let end = self.end().await?;
        // The broker searches as if times only rose.
        let asked = time.plus_millis(-CLOCKS_AGREE_MS).0.max(0);
        let path = format!("{}/messageid/{asked}", self.path);
        let found: Option<MessageId> = self.link.admin.get("ask for a time of", &path).await?;
        let mut from =
            self.first().await?.max(found.and_then(MessageId::position).unwrap_or(Position::START));
        while from < end {
            let chunk = self.read(from, CHUNK).await?;
            if let Some(entry) = chunk.entries.iter().find(|entry| entry.appended_at >= time) {
                return Ok(entry.position);
            }
            if chunk.entries.is_empty() {
                break;
            }
            from = chunk.next;
        }
        Ok(end)
    }

    /// Reads what is there; nothing if the end is reached.
    async fn try_read(&self, from: Position, max_bytes: usize, deadline: Instant) -> Tried<Chunk> {
        let mut cursor = match self.cursors.at(from) {
            Some(cursor) => cursor,
            None => {
                let ledgers = self.ledgers().await?;
                // A position that was deleted is above the last record of an empty log as well.
                self.is_kept(from, &ledgers)?;
                if ledgers.last().is_none_or(|last| from > last) {
                    return Ok(Chunk { entries: Vec::new(), next: from });
                }
                self.open(from, &ledgers).await?
            }
        };
        let tried = self.chunk(&mut cursor, max_bytes, deadline).await;
        if tried.is_err() {
            self.cursors.discard(cursor);
        }
        tried
    }

    /// Waits for a while, and says whether a record is there.
    async fn try_wait(&self, from: Position) -> Tried<bool> {
        let mut cursor = match self.cursors.at(from) {
            Some(cursor) => cursor,
            None => {
                let ledgers = self.ledgers().await?;
                self.is_kept(from, &ledgers)?;
                self.open(from, &ledgers).await?
            }
        };
        let tried = match timeout(WATCH, self.next(&mut cursor)).await {
            Ok(result) => result.map(|()| true),
            Err(_) => self.overlooked(&mut cursor).await.map(|()| false),
        };
        if tried.is_err() {
            self.cursors.discard(cursor);
        }
        tried
    }

    /// Finds out whether there are records that a cursor was not given.
    async fn overlooked(&self, cursor: &mut Cursor) -> Tried<()> {
        let last = cursor.last(ASK).await.map_err(Trouble::Lost)?;
        if last.is_none_or(|last| last < cursor.at) || timeout(ASK, cursor.next()).await.is_ok() {
            return Ok(());
        }
        Err(Trouble::Lost(io::Error::other("the client's reader gives no records although there are some")))
    }

    async fn chunk(&self, cursor: &mut Cursor, max_bytes: usize, deadline: Instant) -> Tried<Chunk> {
        let from = cursor.at;
        if cursor.next().now_or_never().is_none() {
            let last = match cursor.last(ASK).await.map_err(Trouble::Lost)? {
                Some(last) => Some(last),
                None => self.ledgers().await?.last(),
            };
            if last.is_none_or(|last| last < from) {
                return Ok(Chunk { entries: Vec::new(), next: from });
            }
        }
        let late = |_| {
            let why = timed_out(self.link.limit);
            Trouble::Failed(failed("read", &format!("{} from {from} on", self.topic), why))
        };
        timeout_at(deadline, self.next(cursor)).await.map_err(late)??;
        let mut entries = Vec::new();
        let mut budget = max_bytes;
        while let Some(entry) = cursor.take_if(|bytes| entries.is_empty() || bytes <= budget) {
            budget = budget.saturating_sub(entry.record.len());
            entries.push(entry);
            // Whatever else there is, the next read finds it again.
            if !matches!(cursor.next().now_or_never(), Some(Ok(Next::Here))) {
                break;
            }
        }
        self.cursors.ended(cursor);
        cursor.acknowledge(&self.topic).await;
        Ok(Chunk { entries, next: cursor.at })
    }

    /// Waits until a cursor holds the next record.
    async fn next(&self, cursor: &mut Cursor) -> Tried<()> {
        let given = match cursor.next().await.map_err(Trouble::Lost)? {
            Next::Here => return Ok(()),
            Next::Beyond(given) => given,
        };
        let known = Arc::clone(&self.known.lock());
        let ledgers = match known.is_settled(cursor.at, given) {
            true => known,
            false => self.ledgers().await?,
        };
        ledgers.between(cursor.at, given).map_err(|gap| {
            let first = ledgers.first().unwrap_or(given);
            gap.error(self.number, cursor.at, first, &self.topic)
        })?;
        cursor.step();
        Ok(())
    }

    async fn open(&self, at: Position, ledgers: &Ledgers) -> Tried<InUse> {
        let cursor = Cursor::open(&self.link.client, &self.topic, at, ledgers, self.link.limit).await;
        Ok(self.cursors.adopt(cursor.map_err(Trouble::Lost)?).await)
    }

    /// The last record of all.
    async fn last(&self) -> Result<Option<Position>> {
        let asked = match self.cursors.drained() {
            Some(mut cursor) => cursor.last(ASK).await.map_err(|why| {
                // Records that came meanwhile keep it from answering, and it is as good as before.
                if cursor.is_drained() {
                    self.cursors.discard(cursor);
                }
                why.to_string()
            }),
            None => {
                let path = format!("{}/lastMessageId", self.path);
                let id = self.link.admin.get_once("ask for the end of", &path).await;
                id.map(|id: Option<MessageId>| id.and_then(MessageId::position))
                    .map_err(|why| why.to_string())
            }
        };
        match asked {
            Ok(Some(last)) => return Ok(Some(last)),
            // The open ledger is empty: an older one may hold records.
            Ok(None) => {}
            // The brokers look at the last message itself, and it may be in tiered storage that is away.
            Err(why) => tracing::debug!(topic = self.topic, "the end is not told: {why}"),
        }
        Ok(self.ledgers().await?.last())
    }

    /// Lists the ledgers.
    async fn ledgers(&self) -> Result<Arc<Ledgers>> {
        let path = format!("{}/internalStats", self.path);
        let stats: Option<InternalStats> = self.link.admin.get("list the ledgers of", &path).await?;
        let stats = stats.ok_or_else(|| missing(&self.topic))?;
        let ledgers = Arc::new(Ledgers::from(stats));
        *self.known.lock() = Arc::clone(&ledgers);
        Ok(ledgers)
    }

    fn is_kept(&self, asked: Position, ledgers: &Ledgers) -> Result<()> {
        if ledgers.is_gone(asked) {
            let first = ledgers.first().unwrap_or(Position::START);
            return Err(Error::Gone { partition: self.number, asked, first });
        }
        Ok(())
    }

    fn log_lost(&self, why: &io::Error) {
        tracing::debug!(topic = self.topic, "a reader is opened again: {why}");
    }
}

/// A message as the admin interface names it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageId {
    ledger_id: i64,
    entry_id: i64,
}

impl MessageId {
    /// None where Pulsar writes -1.
    fn position(self) -> Option<Position> {
        Some(Position { ledger: self.ledger_id.try_into().ok()?, entry: self.entry_id.try_into().ok()? })
    }
}
