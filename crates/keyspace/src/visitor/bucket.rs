use aggregate::codec::{Malformed, Reader, put_bytes, put_varint};
use bytes::Bytes;
use hashbrown::HashMap;

use super::{Actor, Client, Facts, Transaction};

const VERSION: u8 = 2;

/// The clients, actors and transactions of a bucket, by their stable hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Most clients are actors, too: that a hit has not come before and whose session it is takes one look-up, and that
    /// is mostly one cache miss.
    known: HashMap<u64, Known>,
    transactions: HashMap<u64, Transaction>,
}

/// What is known of a client and of the actor of the same hash; either may be nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    client: Client,
    actor: Actor,
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

    /// The sessions of an actor.
    pub fn actor(&mut self, hash: u64) -> &mut Actor {
        &mut self.known.entry(hash).or_default().actor
    }

    /// The purchase that counts for a transaction, if one is known.
    pub fn transaction(&self, hash: u64) -> Option<Transaction> {
        self.transactions.get(&hash).copied()
    }

    /// Another purchase counts for a transaction from now on.
    pub fn set_transaction(&mut self, hash: u64, counts: Transaction) {
        self.transactions.insert(hash, counts);
    }

    /// The actors, in no order.
    pub fn actors_mut(&mut self) -> impl Iterator<Item = &mut Actor> {
        self.known.values_mut().map(|known| &mut known.actor)
    }

    /// How many clients or actors there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// How many hits are held.
    pub fn hits(&self) -> usize {
        let sessions = self.known.values().flat_map(|known| &known.actor.sessions);
        sessions.map(|session| session.hits.len()).sum()
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
        let actors = self.sorted(|known| Some(&known.actor).filter(|actor| !actor.sessions.is_empty()));
        let mut numbers = HashMap::new();
        let mut facts: Vec<&Facts> = Vec::new();
        let mut encoded = Vec::new();
        put_varint(&mut encoded, actors.len() as u64);
        for (hash, actor) in actors {
            encoded.extend_from_slice(&hash.to_be_bytes());
            actor.encode(hash, &mut encoded, |found| {
                *numbers.entry(found).or_insert_with(|| {
                    facts.push(found);
                    facts.len() as u64 - 1
                })
            });
        }
        put_varint(&mut out, facts.len() as u64);
        facts.iter().for_each(|facts| put_bytes(&mut out, facts.as_bytes()));
        out.extend_from_slice(&encoded);
        let mut transactions: Vec<_> = self.transactions.iter().collect();
        transactions.sort_unstable_by_key(|(hash, _)| **hash);
        put_varint(&mut out, transactions.len() as u64);
        for (hash, transaction) in transactions {
            out.extend_from_slice(&hash.to_be_bytes());
            transaction.encode(&mut out);
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
            facts.push(Facts::new(reader.bytes()?.into()));
        }
        for _ in 0..reader.count()? {
            let hash = u64::from_be_bytes(reader.array()?);
            let actor = Actor::decode(hash, &mut reader, &facts)?;
            if !actor.sessions.is_empty() {
                *bucket.actor(hash) = actor;
            }
        }
        for _ in 0..reader.count()? {
            let hash = u64::from_be_bytes(reader.array()?);
            bucket.transactions.insert(hash, Transaction::decode(&mut reader)?);
        }
        reader.end()?;
        Ok(bucket)
    }
}

#[cfg(test)]
mod tests {
    use model::{Hour, Timestamp};
    use proptest::prelude::*;

    use super::super::{Epoch, Hit, Session, Tallies};
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

    fn hit() -> impl Strategy<Value = Hit> {
        let user = any::<Option<u64>>();
        (any::<i32>(), any::<u64>(), user, any::<bool>(), "[a-c]{0,3}").prop_map(
            |(at, order, user, named, facts)| Hit {
                at: Timestamp(at.into()),
                order,
                visitor: user.unwrap_or(0),
                named,
                facts: Facts::new(facts.as_bytes().into()),
            },
        )
    }

    fn session() -> impl Strategy<Value = Session> {
        let tallies =
            (any::<[u64; 4]>(), prop::collection::vec("[a-c]{0,3}", 0..3)).prop_map(|(n, goals)| {
                let goals = goals.into_iter().map(Into::into).collect();
                Box::new(Tallies { hits: n[0], page_views: n[1], interactions: n[2], purchases: n[3], goals })
            });
        (prop::collection::vec(hit(), 1..4), prop::option::of(tallies), any::<u32>())
            .prop_map(|(hits, dropped, touched)| Session { hits, dropped, touched: Hour(touched) })
    }

    proptest! {
        #[test]
        fn a_bucket_is_its_bytes(
            clients in prop::collection::btree_map(0u64..8, prop::collection::vec(epoch(), 1..3), 0..4),
            actors in prop::collection::btree_map(0u64..8, prop::collection::vec(session(), 1..3), 0..4),
            transactions in prop::collection::btree_map(any::<u64>(), (any::<i64>(), any::<u64>(), any::<u64>()), 0..4)
        ) {
            let mut bucket = Bucket::default();
            for (hash, epochs) in clients {
                bucket.client(hash).epochs = epochs.into();
            }
            for (hash, sessions) in actors {
                bucket.actor(hash).sessions = sessions;
            }
            for (hash, (at, order, actor)) in transactions {
                bucket.set_transaction(hash, Transaction { at: Timestamp(at), order, actor });
            }
            prop_assert_eq!(Bucket::decode(&bucket.encode()), Ok(bucket));
        }

        #[test]
        fn rubbish_is_refused_or_read_but_never_panics(rubbish: Vec<u8>) {
            let _ = Bucket::decode(&[&[VERSION], &*rubbish].concat());
        }
    }
}
