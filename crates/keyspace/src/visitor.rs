//! Visitor state: what the fold must remember of clients (which hits came already) and of visitors (their sessions). It is
//! a cache of the log, kept in 256 buckets by hash for each merchant and partition, and written now and then.
//!
//! ```text
//! key    0x13 │ partition u16 │ merchant u64 │ generation u32 │ bucket u8 │ slot: nothing, or 1
//! value  version 1 │ clients n, n × client │ facts n, n × bytes │ visitors n, n × visitor
//! client    hash 8 bytes │ epochs n, n × (epoch, high, gaps n, n × (from, length − 1))
//! visitor   hash 8 bytes │ sessions n, n × (start i64 ms, length ms, order, index of its facts)
//! ```
//!
//! All changed buckets of a merchant come to hold with one commit of its progress record, whose `state_through` says up to
//! which record they hold the state. If they are too large for one commit, they are written before, each into that of its
//! two slots that does not count, and the record then says that it does. A worker that takes over skips the merchant's hits up to there, folds those up to
//! `applied_through` into the state alone, and the rest in full.

use std::sync::Arc;

use aggregate::codec::{Malformed, Reader, put_bytes, put_signed, put_varint};
use bytes::Bytes;
use hashbrown::HashMap;
use model::{Generation, MerchantId, Partition, Timestamp};
use smallvec::SmallVec;

use crate::key::KeyBuilder;

pub(crate) const FAMILY: u8 = 0x13;
const VERSION: u8 = 1;

/// Which bucket the state of a hash is in.
pub fn bucket_of(hash: u64) -> u8 {
    (hash >> 56) as u8
}

/// The key of a bucket in one of its slots.
pub fn key(
    partition: Partition,
    merchant: MerchantId,
    generation: Generation,
    bucket: u8,
    slot: Slot,
) -> Bytes {
    let key = KeyBuilder::family(FAMILY).u16(partition.0).u64(merchant.0).u32(generation.0).u8(bucket);
    match slot {
        Slot::First => key.build(),
        Slot::Second => key.u8(1).build(),
    }
}

/// One of the two places of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Where it is until it was too large for one commit.
    First,
    /// The other one.
    Second,
}

impl Slot {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// In which slot each bucket is: a bit for each, set for the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots([u8; 32]);

impl Slots {
    /// The slot of a bucket.
    pub fn of(&self, bucket: u8) -> Slot {
        if self.0[usize::from(bucket / 8)] & Self::bit(bucket) == 0 { Slot::First } else { Slot::Second }
    }

    /// Moves a bucket to its other slot.
    pub fn flip(&mut self, bucket: u8) {
        self.0[usize::from(bucket / 8)] ^= Self::bit(bucket);
    }

    pub(crate) fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn bit(bucket: u8) -> u8 {
        1 << (bucket % 8)
    }
}

/// The clients and visitors of a bucket, by their stable hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Most clients are visitors, too: that a hit has not come before and whose session it is takes one look-up, and that
    /// is mostly one cache miss.
    known: HashMap<u64, Known>,
}

/// What is known of a client and of the visitor of the same hash; either may be nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    client: Client,
    visitor: Visitor,
}

/// Which hits of a client came already: the newest epochs, in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The epochs. Nearly every client has one, there are millions of clients, and each hit looks its own up.
    pub epochs: SmallVec<[Epoch; 1]>,
}

/// Which seqs of an epoch came already: all up to `high` that are in no gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epoch {
    /// The epoch.
    pub epoch: u64,
    /// The highest seq that came.
    pub high: u64,
    /// Seqs below `high` that have not come, as first and last, rising.
    pub gaps: Vec<(u64, u64)>,
}

/// The sessions of a visitor, in order of their start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor {
    /// The sessions; the first one is where the visitor was new.
    pub sessions: Vec<Session>,
}

/// A stretch of hits of one visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Event time of its first hit.
    pub start: Timestamp,
    /// Event time of its last hit.
    pub end: Timestamp,
    /// Decides which of two hits at the same time is the first.
    pub order: u64,
    /// Facts of its first hit: where it counts.
    pub facts: Facts,
}

/// The values of all dimensions of a hit, shared by those that have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Facts(Arc<[u8]>);

impl Facts {
    /// Packs the values, in the order of [`model::Dimension::ALL`].
    pub fn pack<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut packed = Vec::with_capacity(256);
        values.into_iter().for_each(|value| put_bytes(&mut packed, value));
        Self(packed.into())
    }

    /// The values, in the order of [`model::Dimension::ALL`].
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        let mut reader = Reader::new(&self.0);
        std::iter::from_fn(move || reader.bytes().ok())
    }
}

impl Bucket {
    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Which hits of a client came already.
    pub fn client(&mut self, hash: u64) -> &mut Client {
        &mut self.known.entry(hash).or_default().client
    }

    /// The sessions of a visitor.
    pub fn visitor(&mut self, hash: u64) -> &mut Visitor {
        &mut self.known.entry(hash).or_default().visitor
    }

    /// How many clients or visitors there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.known.values().map(|known| known.visitor.sessions.len()).sum()
    }

    /// The persisted value.
    pub fn encode(&self) -> Bytes {
        let mut out = vec![VERSION];
        let clients = self.sorted(|known| Some(&known.client).filter(|client| !client.epochs.is_empty()));
        put_varint(&mut out, clients.len() as u64);
        for (hash, client) in clients {
            out.extend_from_slice(&hash.to_be_bytes());
            client.encode(&mut out);
        }
        let mut numbers = HashMap::new();
        let mut facts = Vec::new();
        let visitors =
            self.sorted(|known| Some(&known.visitor).filter(|visitor| !visitor.sessions.is_empty()));
        for session in visitors.iter().flat_map(|(_, visitor)| &visitor.sessions) {
            numbers.entry(&session.facts).or_insert_with(|| {
                facts.push(&session.facts);
                facts.len() as u64 - 1
            });
        }
        put_varint(&mut out, facts.len() as u64);
        facts.iter().for_each(|facts| put_bytes(&mut out, &facts.0));
        put_varint(&mut out, visitors.len() as u64);
        for (hash, visitor) in visitors {
            out.extend_from_slice(&hash.to_be_bytes());
            put_varint(&mut out, visitor.sessions.len() as u64);
            for session in &visitor.sessions {
                put_signed(&mut out, session.start.0.into());
                put_varint(&mut out, session.end.millis_since(session.start) as u64);
                put_varint(&mut out, session.order);
                put_varint(&mut out, numbers[&session.facts]);
            }
        }
        out.into()
    }

    /// Those of a kind, in order, so that the same state is always the same bytes.
    fn sorted<T>(&self, kind: impl Fn(&Known) -> Option<&T>) -> Vec<(u64, &T)> {
        let mut all: Vec<_> =
            self.known.iter().filter_map(|(hash, known)| Some((*hash, kind(known)?))).collect();
        all.sort_unstable_by_key(|(hash, _)| *hash);
        all
    }

    /// The inverse of [`Bucket::encode`].
    pub fn decode(value: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        match reader.byte()? {
            VERSION => {}
            found => {
                return Err(Malformed::Unknown { what: "version of visitor state", found: found.into() });
            }
        }
        let mut bucket = Self::default();
        for _ in 0..reader.count()? {
            let hash = u64::from_be_bytes(reader.array()?);
            let client = Client::decode(&mut reader)?;
            if !client.epochs.is_empty() {
                *bucket.client(hash) = client;
            }
        }
        let mut facts = Vec::new();
        for _ in 0..reader.count()? {
            facts.push(Facts(reader.bytes()?.into()));
        }
        for _ in 0..reader.count()? {
            let hash = u64::from_be_bytes(reader.array()?);
            let visitor = Visitor::decode(&mut reader, &facts)?;
            if !visitor.sessions.is_empty() {
                *bucket.visitor(hash) = visitor;
            }
        }
        reader.end()?;
        Ok(bucket)
    }
}

impl Client {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.epochs.len() as u64);
        for epoch in &self.epochs {
            put_varint(out, epoch.epoch);
            put_varint(out, epoch.high);
            put_varint(out, epoch.gaps.len() as u64);
            for (from, to) in &epoch.gaps {
                put_varint(out, *from);
                put_varint(out, to - from);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut client = Self::default();
        for _ in 0..reader.count()? {
            let mut epoch = Epoch { epoch: reader.varint()?, high: reader.varint()?, gaps: Vec::new() };
            for _ in 0..reader.count()? {
                let from = reader.varint()?;
                epoch.gaps.push((from, from.saturating_add(reader.varint()?)));
            }
            client.epochs.push(epoch);
        }
        Ok(client)
    }
}

impl Visitor {
    fn decode(reader: &mut Reader<'_>, facts: &[Facts]) -> Result<Self, Malformed> {
        let mut visitor = Self::default();
        for _ in 0..reader.count()? {
            let start = Timestamp(reader.signed()? as i64);
            let end = start.plus_millis(reader.varint()? as i64);
            let order = reader.varint()?;
            let number = reader.varint()?;
            let facts = facts.get(number as usize).cloned();
            let facts = facts.ok_or(Malformed::Impossible("a session without its facts"))?;
            visitor.sessions.push(Session { start, end, order, facts });
        }
        Ok(visitor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn epoch() -> impl Strategy<Value = Epoch> {
        (any::<u64>(), any::<u64>(), prop::collection::vec((0u64..1_000, 0u64..9), 0..3)).prop_map(
            |(epoch, high, gaps)| Epoch {
                epoch,
                high,
                gaps: gaps.into_iter().map(|(from, len)| (from, from + len)).collect(),
            },
        )
    }

    fn session() -> impl Strategy<Value = Session> {
        (any::<i32>(), 0i64..86_400_000, any::<u64>(), prop::collection::vec("[a-c]{0,3}", 12)).prop_map(
            |(start, length, order, values)| Session {
                start: Timestamp(start.into()),
                end: Timestamp(i64::from(start) + length),
                order,
                facts: Facts::pack(values.iter().map(String::as_bytes)),
            },
        )
    }

    proptest! {
        #[test]
        fn a_bucket_is_its_bytes(
            clients in prop::collection::btree_map(0u64..8, prop::collection::vec(epoch(), 1..3), 0..4),
            visitors in prop::collection::btree_map(0u64..8, prop::collection::vec(session(), 1..3), 0..4)
        ) {
            let mut bucket = Bucket::default();
            for (hash, epochs) in clients {
                bucket.client(hash).epochs = epochs.into();
            }
            for (hash, sessions) in visitors {
                bucket.visitor(hash).sessions = sessions;
            }
            prop_assert_eq!(Bucket::decode(&bucket.encode()), Ok(bucket));
        }

        #[test]
        fn facts_are_their_values(values in prop::collection::vec(any::<Vec<u8>>(), 0..13)) {
            let facts = Facts::pack(values.iter().map(Vec::as_slice));
            prop_assert_eq!(facts.values().collect::<Vec<_>>(), values);
        }

        #[test]
        fn rubbish_is_refused_or_read_but_never_panics(rubbish: Vec<u8>) {
            let _ = Bucket::decode(&[&[VERSION], &*rubbish].concat());
        }
    }

    #[test]
    fn a_bucket_is_the_top_byte_of_the_hash() {
        assert_eq!(bucket_of(0xab00_0000_0000_0001), 0xab);
        let key = |bucket, slot| key(Partition(1), MerchantId(2), Generation(3), bucket, slot);
        assert_eq!(key(0xab, Slot::First).len(), 16);
        assert!(
            key(0xab, Slot::First) < key(0xab, Slot::Second)
                && key(0xab, Slot::Second) < key(0xac, Slot::First)
        );
    }

    #[test]
    fn each_bucket_has_a_slot_of_its_own() {
        for flipped in 0..=u8::MAX {
            let mut slots = Slots::default();
            slots.flip(flipped);
            let second: Vec<_> = (0..=u8::MAX).filter(|bucket| slots.of(*bucket) == Slot::Second).collect();
            assert_eq!(second, [flipped]);
            assert_eq!(slots.of(flipped).other(), Slot::First);
            slots.flip(flipped);
            assert_eq!(slots, Slots::default());
        }
    }
}
