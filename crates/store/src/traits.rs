use async_trait::async_trait;
use bytes::Bytes;

use crate::{Error, Result};

/// The longest key, in bytes. Every back end takes it, with room for what it puts around a key.
pub const MAX_KEY_BYTES: usize = 4_096;

/// Ordered bytes.
///
/// An implementer owes:
///
/// * **Atomic commits.** A batch is visible as a whole or not at all, to every snapshot, also after a crash.
/// * **Preconditions.** A batch is applied only if every one of its requirements holds at the moment of the commit, in
///   one step with it: of two commits that require the same old value of a key and change it, at most one succeeds;
///   the other fails with [`Error::Conflict`](crate::Error::Conflict) and changes nothing.
/// * **Order.** After a crash the store holds a prefix of the commits in their order. A commit that was
///   [`durable`](Batch::durable), and everything before a returned [`sync`](Store::sync), is in that prefix; any
///   commit that returned survives the end of the process, if not always of the machine.
/// * **Refusals.** A batch with an empty value, or with a key that is empty or longer than [`MAX_KEY_BYTES`], is refused
///   as a whole.
/// * **Snapshots** see every commit that had returned when they were taken and none that comes later, for as long as
///   they live. A back end of many machines may set a limit to that, which an operator knows; a read after it fails, and
///   never answers with less.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// A consistent view of now.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>>;

    /// Applies the batch as a whole, if its requirements hold.
    async fn commit(&self, batch: Batch) -> Result<()>;

    /// Returns when everything committed before is safe from a crash of the machine.
    async fn sync(&self) -> Result<()>;

    /// One value as it is now.
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.snapshot().await?.get(key).await
    }
}

/// A key and its value.
pub type Pair = (Bytes, Bytes);

/// A consistent view of the store.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// One value.
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// The values of many keys, in the order asked.
    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>>;

    /// Pairs with `start <= key < end` in key order, `limit` at most. To go on, call again with the last key followed
    /// by a zero byte as `start`.
    async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Pair>>;
}

/// What is written together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What must hold for the batch to be applied.
    pub requires: Vec<Require>,
    /// What is written, in order; a later write of the same key wins.
    pub writes: Vec<Write>,
    /// Whether the commit returns only when it is safe from a crash of the machine.
    pub durable: bool,
}

/// A precondition: the key has this value, or is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Require {
    /// The key.
    pub key: Bytes,
    /// Its value, or `None` for absent.
    pub value: Option<Bytes>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Sets a value. Values are never empty: some back ends cannot tell an empty value from none.
    Put(Bytes, Bytes),
    /// Removes a key, if it is there.
    Delete(Bytes),
}

impl Batch {
    /// A batch that is safe from a crash of the machine when its commit returns.
    pub fn durable() -> Self {
        Self { durable: true, ..Self::default() }
    }

    /// Requires that `key` has `value`, or is absent.
    pub fn require(&mut self, key: impl Into<Bytes>, value: Option<Bytes>) -> &mut Self {
        self.requires.push(Require { key: key.into(), value });
        self
    }

    /// Sets `key` to `value`, which must not be empty.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> &mut Self {
        self.writes.push(Write::Put(key.into(), value.into()));
        self
    }

    /// Removes `key`.
    pub fn delete(&mut self, key: impl Into<Bytes>) -> &mut Self {
        self.writes.push(Write::Delete(key.into()));
        self
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Refuses what no back end takes: a back end calls it first in its commit.
    pub(crate) fn validate(&self) -> Result<()> {
        for key in self.requires.iter().map(|require| &require.key).chain(self.writes.iter().map(Write::key))
        {
            if key.is_empty() || key.len() > MAX_KEY_BYTES {
                return Err(Error::KeyLength { length: key.len() });
            }
        }
        match self.writes.iter().find(|write| matches!(write, Write::Put(_, value) if value.is_empty())) {
            Some(write) => Err(Error::EmptyValue { key: write.key().clone() }),
            None => Ok(()),
        }
    }
}

impl Write {
    /// The key that is written.
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }

    /// The value that is set, if one is.
    pub fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Put(_, value) => Some(value),
            Self::Delete(_) => None,
        }
    }
}
