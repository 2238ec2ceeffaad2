//! Records of the event log: what ingest appends and rollup folds. A record holds the batches of many clients, each as it
//! was received, with what the server knew of it.
//!
//! ```text
//! record   version 1 │ entry…
//! entry    length varint │ kind u8 │ merchant varint │ received_at varint (ms) │ …by kind
//! batch 0  … │ data stream varint │ rules version varint │ lane u8 │ client id │ epoch varint │ context │
//!            refused: n varint, n × (index of the hit varint, reason u8) │ the encoded hitmill.v1.Batch to the end
//! refused 1  … │ reason u8 │ hits varint                    hits of a batch that was refused as a whole
//! ```
//!
//! Client id, epoch and context are those of the stream; what the batch says of its own wins. Texts and messages have
//! their length before them.

use aggregate::codec::{Malformed, Reader, put_bytes, put_varint};
use bytes::Bytes;
use model::{DataStreamId, Lane, MerchantId, Refusal, Timestamp};

const VERSION: u8 = 1;
/// Stands for a record that is lost: it has an entry without anything in it, which is read as none. A record without entries is
/// what ingest asks with whether the log takes writes.
pub const LOST: &[u8] = &[VERSION, 0];
const BATCH: u8 = 0;
const REFUSED: u8 = 1;

/// One entry of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// Accepted hits, and refused ones among them.
    Batch(BatchEntry<'a>),
    /// Hits that were refused as a whole; their bytes are not kept.
    Refused(RefusedEntry),
}

impl Entry<'_> {
    /// Whose it is.
    pub fn merchant(&self) -> MerchantId {
        match self {
            Self::Batch(batch) => batch.merchant,
            Self::Refused(refused) => refused.merchant,
        }
    }
}

/// A batch, and what the server knew of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchEntry<'a> {
    /// Whose, by the key.
    pub merchant: MerchantId,
    /// When it was received.
    pub received_at: Timestamp,
    /// Which data stream, by the key.
    pub data_stream: DataStreamId,
    /// Version of the merchant's configuration at admission, so that a later fold can know the rules of then. All versions
    /// have the same rules so far.
    pub rules_version: u64,
    /// Under which rules of time it was admitted.
    pub lane: Lane,
    /// The stream's client.
    pub client_id: &'a str,
    /// The stream's epoch.
    pub epoch: u64,
    /// The stream's encoded `Context`.
    pub context: &'a [u8],
    /// The hits that were refused.
    pub refused: RefusedHits<'a>,
    /// The encoded `Batch`, as received.
    pub batch: &'a [u8],
}

/// Hits that were refused as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedEntry {
    /// Whose, by the key.
    pub merchant: MerchantId,
    /// When they were received.
    pub received_at: Timestamp,
    /// Why.
    pub reason: Refusal,
    /// How many.
    pub hits: u64,
}

/// Which hits of a batch were refused, by their index, rising.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedHits<'a> {
    count: usize,
    encoded: &'a [u8],
}

impl RefusedHits<'_> {
    /// The refused hits: index within the batch, and reason.
    pub fn iter(&self) -> impl Iterator<Item = (u32, Refusal)> {
        let mut reader = Reader::new(self.encoded);
        // They were read once when the entry was, so nothing fails here.
        (0..self.count).map_while(move |_| {
            let index = reader.varint().ok()? as u32;
            Some((index, Refusal::from_number(reader.byte().ok()?)?))
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether every hit was accepted.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<RefusedHits<'a>, Malformed> {
        let count = reader.count()?;
        let at = reader.clone();
        for _ in 0..count {
            reader.varint()?;
            read_reason(reader)?;
        }
        Ok(RefusedHits { count, encoded: at.until(reader) })
    }
}

/// Puts refused hits into the form of an entry.
fn encode_refused(refused: &[(u32, Refusal)], out: &mut Vec<u8>) {
    put_varint(out, refused.len() as u64);
    for (index, reason) in refused {
        put_varint(out, u64::from(*index));
        out.push(reason.number());
    }
}

/// Builds a record.
#[derive(Debug)]
pub struct RecordBuilder {
    out: Vec<u8>,
    scratch: Vec<u8>,
}

impl Default for RecordBuilder {
    fn default() -> Self {
        Self { out: vec![VERSION], scratch: Vec::new() }
    }
}

impl RecordBuilder {
    /// Bytes of the record so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether there is no entry yet.
    pub fn is_empty(&self) -> bool {
        self.out.len() <= 1
    }

    /// Makes room for about this many bytes more, for whoever knows what is coming.
    pub fn reserve(&mut self, bytes: usize) {
        self.out.reserve(bytes);
    }

    /// Adds a batch with its refused hits, by index, rising; what `entry.refused` says is not looked at.
    pub fn batch(&mut self, entry: &BatchEntry<'_>, refused: &[(u32, Refusal)]) {
        let head = &mut self.scratch;
        head.clear();
        head.push(BATCH);
        put_varint(head, entry.merchant.0);
        put_varint(head, entry.received_at.0.max(0) as u64);
        put_varint(head, u64::from(entry.data_stream.0));
        put_varint(head, entry.rules_version);
        head.push(matches!(entry.lane, Lane::History).into());
        put_bytes(head, entry.client_id.as_bytes());
        put_varint(head, entry.epoch);
        put_bytes(head, entry.context);
        encode_refused(refused, head);
        put_varint(&mut self.out, (head.len() + entry.batch.len()) as u64);
        self.out.extend_from_slice(head);
        self.out.extend_from_slice(entry.batch);
    }

    /// Adds hits that were refused as a whole.
    pub fn refused(&mut self, entry: &RefusedEntry) {
        let head = &mut self.scratch;
        head.clear();
        head.push(REFUSED);
        put_varint(head, entry.merchant.0);
        put_varint(head, entry.received_at.0.max(0) as u64);
        head.push(entry.reason.number());
        put_varint(head, entry.hits);
        put_bytes(&mut self.out, head);
    }

    /// The record; the builder is empty again.
    pub fn finish(&mut self) -> Bytes {
        std::mem::replace(&mut self.out, vec![VERSION]).into()
    }
}

/// The entries of a record, in order.
pub fn read(record: &[u8]) -> Result<impl Iterator<Item = Result<Entry<'_>, Malformed>>, Malformed> {
    let mut reader = Reader::new(if record == LOST { &LOST[..1] } else { record });
    match reader.byte()? {
        VERSION => {}
        found => return Err(Malformed::Unknown { what: "version of a record", found: found.into() }),
    }
    Ok(std::iter::from_fn(move || {
        (!reader.is_empty()).then(|| {
            let entry = reader.bytes();
            // After a damaged length nothing that follows can be trusted.
            if entry.is_err() {
                reader = Reader::new(&[]);
            }
            read_entry(entry?)
        })
    }))
}

fn read_entry(entry: &[u8]) -> Result<Entry<'_>, Malformed> {
    let mut reader = Reader::new(entry);
    let kind = reader.byte()?;
    let merchant = MerchantId(reader.varint()?);
    let received_at = Timestamp(reader.varint()? as i64);
    match kind {
        BATCH => Ok(Entry::Batch(BatchEntry {
            merchant,
            received_at,
            data_stream: DataStreamId(reader.varint()? as u32),
            rules_version: reader.varint()?,
            lane: if reader.byte()? == 0 { Lane::Live } else { Lane::History },
            client_id: std::str::from_utf8(reader.bytes()?)
                .map_err(|_| Malformed::Impossible("a client id that is not UTF-8"))?,
            epoch: reader.varint()?,
            context: reader.bytes()?,
            refused: RefusedHits::read(&mut reader)?,
            batch: reader.rest(),
        })),
        REFUSED => {
            let entry = RefusedEntry {
                merchant,
                received_at,
                reason: read_reason(&mut reader)?,
                hits: reader.varint()?,
            };
            reader.end()?;
            Ok(Entry::Refused(entry))
        }
        found => Err(Malformed::Unknown { what: "kind of an entry", found: found.into() }),
    }
}

fn read_reason(reader: &mut Reader<'_>) -> Result<Refusal, Malformed> {
    let number = reader.byte()?;
    Refusal::from_number(number)
        .ok_or(Malformed::Unknown { what: "reason of a refusal", found: number.into() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch_entry<'a>(client_id: &'a str, context: &'a [u8], batch: &'a [u8]) -> BatchEntry<'a> {
        BatchEntry {
            merchant: MerchantId(7),
            received_at: Timestamp(1_431_859_623_500),
            data_stream: DataStreamId(3),
            rules_version: 300,
            lane: Lane::History,
            client_id,
            epoch: 5,
            context,
            refused: RefusedHits::default(),
            batch,
        }
    }

    proptest! {
        #[test]
        fn entries_are_read_as_written(
            client in "\\PC{0,20}", context: Vec<u8>, batches in prop::collection::vec(any::<Vec<u8>>(), 0..5), hits: u64
        ) {
            let refused = [(2, Refusal::BadName), (900, Refusal::TooOld)];
            let lost = RefusedEntry { merchant: MerchantId(9), received_at: Timestamp(1), reason: Refusal::OverQuota, hits };
            let mut builder = RecordBuilder::default();
            for batch in &batches {
                builder.batch(&batch_entry(&client, &context, batch), &refused);
            }
            builder.refused(&lost);
            let record = builder.finish();
            prop_assert!(builder.is_empty());

            let entries: Vec<_> = read(&record).unwrap().map(Result::unwrap).collect();
            prop_assert_eq!(entries.len(), batches.len() + 1);
            prop_assert_eq!(entries.last(), Some(&Entry::Refused(lost)));
            for (entry, batch) in entries.iter().zip(&batches) {
                let Entry::Batch(entry) = entry else { panic!("a batch") };
                prop_assert_eq!(entry.refused.iter().collect::<Vec<_>>(), refused);
                let plain = BatchEntry { refused: RefusedHits::default(), ..entry.clone() };
                prop_assert_eq!(plain, batch_entry(&client, &context, batch));
            }
        }

        #[test]
        fn rubbish_is_refused_or_read_but_never_panics(mut rubbish: Vec<u8>) {
            rubbish.insert(0, VERSION);
            for entry in read(&rubbish).unwrap().flatten() {
                if let Entry::Batch(batch) = entry {
                    prop_assert_eq!(batch.refused.iter().count(), batch.refused.len());
                }
            }
        }
    }
}
