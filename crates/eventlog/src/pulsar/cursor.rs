//! A reader of one partition that has got somewhere.

use std::io;
use std::time::Duration;

use ::pulsar::consumer::{Consumer, Message};
use ::pulsar::message::proto::MessageIdData;
use ::pulsar::{ConsumerOptions, DeserializeMessage, Payload, SubType, TokioExecutor};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use model::{Position, Timestamp};

use super::ledgers::Ledgers;
use super::link::{Client, io_error, timed_out, to_its_end, unique};
use crate::Entry;

/// Bytes of records that a reader may hold that nobody has asked for yet, as far as the size of the records is known.
const PREFETCH_BYTES: u64 = 4 * 1024 * 1024;
/// What a record is taken for before there is one.
const GUESSED_BYTES: u64 = 256 * 1024;

/// Reads on from a position. The client's consumer underneath begins again at its own start when it has lost its
/// connection: what then comes a second time is found out here, and the cursor is of no use any more.
pub(super) struct Cursor {
    consumer: Consumer<Raw, TokioExecutor>,
    /// Where it stands: below the record that it holds, or the lowest position of the record to come.
    pub(super) at: Position,
    held: Option<Entry>,
    given: Option<Position>,
    /// It was given a record that it could use.
    begun: bool,
    /// The latest time of all records that it was given, or that those had seen from whom it took over.
    pub(super) latest: Timestamp,
}

/// What a cursor meets.
pub(super) enum Next {
    /// It holds the record at its position.
    Here,
    /// It holds a record further on: whether others are in between is for the ledgers to say.
    Beyond(Position),
}

/// Payloads as they are.
pub(super) struct Raw;

impl DeserializeMessage for Raw {
    type Output = ();

    fn deserialize_message(_: &Payload) {}
}

impl Cursor {
    /// Opens one that stands at a position of the partition with these ledgers.
    pub(super) async fn open(
        client: &Client,
        topic: &str,
        at: Position,
        ledgers: &Ledgers,
        limit: Duration,
    ) -> io::Result<Self> {
        let records = PREFETCH_BYTES / ledgers.mean_bytes().unwrap_or(GUESSED_BYTES).max(1);
        // Half may be on its way while the other half waits to be taken.
        let half = (records / 2).clamp(2, 500) as u32;
        let options = ConsumerOptions::default()
            .durable(false)
            .starting_on_message(start(at, ledgers))
            .with_receiver_queue_size(half);
        let builder = client
            .consumer()
            .with_topic(topic)
            .with_subscription(format!("hitmill-{:016x}", unique()))
            .with_subscription_type(SubType::Exclusive)
            .with_batch_size(half)
            .with_options(options);
        let consumer = to_its_end(limit, builder.build()).await?;
        Ok(Self { consumer, at, held: None, given: None, begun: false, latest: Timestamp(0) })
    }

    /// Waits for a record. It may be given up at any time, and nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Next> {
        loop {
            if let Some(held) = &self.held {
                let position = held.position;
                return Ok(if position == self.at { Next::Here } else { Next::Beyond(position) });
            }
            let message = match self.consumer.next().await {
                Some(message) => message.map_err(io_error)?,
                None => return Err(io::Error::other("the client's reader has ended")),
            };
            let entry = self.entry(message);
            if entry.position >= self.at {
                self.begun = true;
                self.held = Some(entry);
            } else if self.begun {
                return Err(io::Error::other("the client's reader has begun again"));
            }
        }
    }

    /// Goes up to the record that it holds: there is nothing in between.
    pub(super) fn step(&mut self) {
        if let Some(held) = &self.held {
            self.at = held.position;
        }
    }

    /// Whether no record waits here to be taken, neither in this cursor nor in the client's reader underneath.
    pub(super) fn is_drained(&mut self) -> bool {
        self.next().now_or_never().is_none()
    }

    /// Gives the record that it holds, if its size suits, and stands behind it.
    pub(super) fn take_if(&mut self, suits: impl FnOnce(usize) -> bool) -> Option<Entry> {
        let entry = self.held.take_if(|entry| suits(entry.record.len()))?;
        self.at = entry.position.next();
        self.given = Some(entry.position);
        Some(entry)
    }

    /// The last message of the partition; none if its open ledger is empty. Asks over the reader's own connection, which
    /// answers only if no records wait here to be taken.
    pub(super) async fn last(&mut self, limit: Duration) -> io::Result<Option<Position>> {
        let ids = tokio::time::timeout(limit, self.consumer.get_last_message_id()).await;
        let ids = ids.map_err(|_| timed_out(limit))?.map_err(io_error)?;
        Ok(ids.first().and_then(position))
    }

    /// Tells the broker that what was given is done with, so that its own figures of the backlog are right. If it cannot be
    /// told, the next read finds out why.
    pub(super) async fn acknowledge(&mut self, topic: &str) {
        if let Some(Position { ledger: ledger_id, entry: entry_id }) = self.given.take() {
            let id = MessageIdData { ledger_id, entry_id, ..MessageIdData::default() };
            let _ = self.consumer.cumulative_ack_with_id(topic, id).await;
        }
    }

    fn entry(&mut self, message: Message<Raw>) -> Entry {
        let id = message.message_id();
        let position = Position { ledger: id.ledger_id, entry: id.entry_id };
        let published = i64::try_from(message.metadata().publish_time).unwrap_or(i64::MAX);
        // The clocks of those who append differ a little; a reader does not see time go back.
        self.latest = self.latest.max(Timestamp(published));
        Entry { position, appended_at: self.latest, record: Bytes::from(message.payload.data) }
    }
}

/// The position of a message; none where Pulsar writes -1.
fn position(id: &MessageIdData) -> Option<Position> {
    (id.ledger_id != u64::MAX && id.entry_id != u64::MAX)
        .then_some(Position { ledger: id.ledger_id, entry: id.entry_id })
}

/// Names the message after which a reader starts that stands at a position. Pulsar writes -1 for what is before the first
/// of a ledger, or of all.
fn start(at: Position, ledgers: &Ledgers) -> MessageIdData {
    // A start beyond the end would be taken for "from now on", and records that come meanwhile be left out.
    let from = ledgers.last().map_or(Position::START, |last| at.min(last.next()));
    let (ledger_id, entry_id) = match from {
        Position::START => (u64::MAX, u64::MAX),
        from => {
            let Position { ledger, entry } = ledgers.settle(from);
            (ledger, entry.wrapping_sub(1))
        }
    };
    MessageIdData { ledger_id, entry_id, ..MessageIdData::default() }
}

#[cfg(test)]
mod tests {
    use super::super::ledgers::InternalStats;
    use super::*;

    #[test]
    fn a_reader_starts_after_the_message_before() {
        let with = |said: &str| {
            let ledgers = Ledgers::from(serde_json::from_str::<InternalStats>(said).unwrap());
            move |ledger, entry| {
                let id = start(Position { ledger, entry }, &ledgers);
                (id.ledger_id as i64, id.entry_id as i64)
            }
        };
        let start = with(
            r#"{"lastConfirmedEntry":"9:5","ledgers":[{"ledgerId":7,"entries":4,"size":9},
            {"ledgerId":9,"entries":0,"size":0}]}"#,
        );
        assert_eq!(start(7, 3), (7, 2));
        assert_eq!(start(7, 0), (7, -1));
        assert_eq!(start(7, 4), (9, -1), "behind the last of a closed ledger");
        assert_eq!(start(9, 6), (9, 5), "what comes next");
        assert_eq!(start(9, 7), (9, 5), "what comes next");
        assert_eq!(start(u64::MAX, 5), (9, 5), "what comes next");
        assert_eq!(start(0, 0), (-1, -1));

        let start = with(r#"{"lastConfirmedEntry":"7:-1","ledgers":[{"ledgerId":7,"entries":0,"size":0}]}"#);
        assert_eq!(start(7, 3), (-1, -1), "nothing is there");
    }
}
