//! A store that owes what the trait says, and not a bit more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use imbl::OrdMap;
use parking_lot::Mutex;
use store::{Batch, Error, Pair, Require, Result, Snapshot, Store, Write};

use crate::dice::{Dice, hash};
use crate::life::Life;

type Pairs = OrdMap<Bytes, Bytes>;

/// What may go wrong with a store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Troubles {
    /// One in so many calls fails, having done nothing; 0 is none.
    pub(crate) unavailable: u64,
    /// The answer of one in so many commits is lost, applied or not; 0 is none.
    pub(crate) unknown: u64,
    /// Milliseconds that a call may take.
    pub(crate) slow_ms: u64,
}

/// What is stored, for all processes and all their lives.
#[derive(Debug)]
pub(crate) struct Shelf {
    pairs: Pairs,
    /// What a cut of the power may leave: every state since the last that is safe, that one first.
    states: Vec<Pairs>,
    pub(crate) dice: Dice,
    pub(crate) troubles: Troubles,
}

impl Shelf {
    /// An empty one.
    pub(crate) fn new(dice: Dice) -> Self {
        let pairs = Pairs::new();
        Self { states: vec![pairs.clone()], pairs, dice, troubles: Troubles::default() }
    }

    /// The power is cut: some prefix of the commits is left.
    pub(crate) fn cut(&mut self) {
        let left = self.dice.below(self.states.len() as u64) as usize;
        self.pairs = self.states[left].clone();
        self.states = vec![self.pairs.clone()];
    }

    fn commit(&mut self, batch: &Batch) -> Result<()> {
        for Require { key, value } in &batch.requires {
            if self.pairs.get(key) != value.as_ref() {
                return Err(Error::Conflict { key: key.clone() });
            }
        }
        for write in &batch.writes {
            match write {
                Write::Put(key, value) => drop(self.pairs.insert(key.clone(), value.clone())),
                Write::Delete(key) => drop(self.pairs.remove(key)),
            }
        }
        self.states.push(self.pairs.clone());
        if batch.durable {
            self.sync();
        }
        Ok(())
    }

    fn sync(&mut self) {
        self.states = vec![self.pairs.clone()];
    }
}

/// The store in the hands of one life of a process.
#[derive(Clone, Debug)]
pub(crate) struct SimStore {
    pub(crate) shelf: Arc<Mutex<Shelf>>,
    pub(crate) life: Arc<Life>,
    /// Milliseconds until which its calls hang, of the time of tokio in this process: the owner sleeps and does not know.
    pub(crate) hangs: Arc<Mutex<Duration>>,
}

impl SimStore {
    /// The way there, which may take a while, and what goes wrong on it.
    async fn go(&self, doing: &'static str) -> Result<()> {
        self.life.hear().await;
        let (wait, fails) = {
            let mut shelf = self.shelf.lock();
            let Troubles { slow_ms, unavailable, .. } = shelf.troubles;
            let wait = if slow_ms == 0 { 0 } else { shelf.dice.below(slow_ms) };
            (wait, shelf.dice.one_in(unavailable))
        };
        let wait = Duration::from_millis(wait) + std::mem::take(&mut *self.hangs.lock());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
            self.life.hear().await;
        }
        if fails {
            return Err(Error::Unavailable { doing, what: "the simulation says so".into() });
        }
        Ok(())
    }
}

#[async_trait]
impl Store for SimStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        self.go("take a snapshot").await?;
        let pairs = self.shelf.lock().pairs.clone();
        Ok(Box::new(View { pairs, store: self.clone() }))
    }

    async fn commit(&self, batch: Batch) -> Result<()> {
        self.go("commit").await?;
        let lost = |shelf: &mut Shelf| {
            let unknown = shelf.troubles.unknown;
            shelf.dice.one_in(unknown)
        };
        let result = {
            let mut shelf = self.shelf.lock();
            let unknown = || Error::Unknown { what: "the simulation lost the answer".into() };
            match lost(&mut shelf) {
                true if shelf.dice.one_in(2) => Err(unknown()),
                true => shelf.commit(&batch).and(Err(unknown())),
                false => shelf.commit(&batch),
            }
        };
        self.life.done(|| format!("commit {:x} {:?}", fingerprint(&batch), result.as_ref().err()));
        self.life.hear().await;
        result
    }

    async fn sync(&self) -> Result<()> {
        self.go("sync").await?;
        self.shelf.lock().sync();
        self.life.done(|| "sync the store".into());
        self.life.hear().await;
        Ok(())
    }
}

struct View {
    pairs: Pairs,
    store: SimStore,
}

#[async_trait]
impl Snapshot for View {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.store.go("read a key").await?;
        Ok(self.pairs.get(key).cloned())
    }

    async fn get_many(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>> {
        self.store.go("read keys").await?;
        Ok(keys.iter().map(|key| self.pairs.get(key).cloned()).collect())
    }

    async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Pair>> {
        self.store.go("scan").await?;
        if start >= end {
            return Ok(Vec::new());
        }
        let range =
            self.pairs.range::<_, [u8]>((std::ops::Bound::Included(start), std::ops::Bound::Excluded(end)));
        Ok(range.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// The same for the same changes, whatever order they are listed in.
fn fingerprint(batch: &Batch) -> u64 {
    let one = |write: &Write| {
        let value = write.value().map_or(0, |value| hash(value));
        hash(write.key()).rotate_left(17).wrapping_add(value)
    };
    batch.writes.iter().map(one).fold(0, u64::wrapping_add)
}
