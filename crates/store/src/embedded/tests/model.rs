//! Random operations, against a `BTreeMap`.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{EmbeddedStore, open};
use crate::{Batch, Error, Pair, Require, Snapshot, Store, Write};

type Model = BTreeMap<Bytes, Bytes>;

#[derive(Clone, Debug)]
enum Step {
    /// Commits writes under requirements: a key, and whether its value is right.
    Commit { requires: Vec<(Bytes, bool)>, writes: Vec<Write>, durable: bool },
    /// Takes a snapshot, to be compared later.
    Snapshot,
    /// Compares one of the snapshots, or the store if there is none.
    Scan { which: usize, start: Bytes, end: Bytes, limit: usize },
    /// Moves everything from memory to a table on disk.
    Flush,
    /// Closes the store and opens it again.
    Reopen,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map(steps in vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(dir.path(), steps))?;
    }
}

async fn run(dir: &Path, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut store = open(dir);
    let mut model = Model::new();
    let mut snapshots: Vec<(Box<dyn Snapshot>, Model)> = Vec::new();
    for step in steps {
        match step {
            Step::Commit { requires, writes, durable } => {
                let (batch, conflict) = batch(&model, requires, writes, durable);
                let applied = store.commit(batch.clone()).await;
                match (&applied, conflict) {
                    (Ok(()), None) => apply(&mut model, batch.writes),
                    (Err(Error::Conflict { key }), Some(expected)) => prop_assert_eq!(key, &expected),
                    (_, expected) => {
                        prop_assert!(false, "was {applied:?}, expected a conflict in {expected:?}")
                    }
                }
            }
            Step::Snapshot => snapshots.push((store.snapshot().await.unwrap(), model.clone())),
            Step::Scan { which, start, end, limit } => {
                let now = (store.snapshot().await.unwrap(), model.clone());
                let (snapshot, model) = which.checked_rem(snapshots.len()).map_or(&now, |at| &snapshots[at]);
                let expected: Vec<Pair> = model
                    .iter()
                    .filter(|&(key, _)| *key >= start && *key < end)
                    .take(limit)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                prop_assert_eq!(snapshot.scan(&start, &end, limit).await.unwrap(), expected);
                prop_assert_eq!(snapshot.get(&start).await.unwrap(), model.get(&start).cloned());
            }
            Step::Flush => store.engine.cells.rotate_memtable_and_wait().unwrap(),
            Step::Reopen => {
                snapshots.clear();
                drop(store);
                store = open(dir);
            }
        }
        prop_assert_eq!(everything(&store).await, model.clone());
    }
    Ok(())
}

/// The batch, and the key that it must fail on, if any.
fn batch(
    model: &Model,
    requires: Vec<(Bytes, bool)>,
    writes: Vec<Write>,
    durable: bool,
) -> (Batch, Option<Bytes>) {
    let conflict = requires.iter().find(|(_, right)| !right).map(|(key, _)| key.clone());
    let requires = requires
        .into_iter()
        .map(|(key, right)| {
            let found = model.get(&key).cloned();
            let wrong = found.is_none().then(|| Bytes::from_static(b"never written"));
            Require { value: if right { found } else { wrong }, key }
        })
        .collect();
    (Batch { requires, writes, durable }, conflict)
}

fn apply(model: &mut Model, writes: Vec<Write>) {
    for write in writes {
        match write {
            Write::Put(key, value) => model.insert(key, value),
            Write::Delete(key) => model.remove(&key),
        };
    }
}

async fn everything(store: &EmbeddedStore) -> Model {
    let snapshot = store.snapshot().await.unwrap();
    snapshot.scan(b"", &[0xff; 4], usize::MAX).await.unwrap().into_iter().collect()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (vec((key(), prop::bool::weighted(0.9)), 0..3), vec(write(), 0..8), prop::bool::weighted(0.1))
            .prop_map(|(requires, writes, durable)| Step::Commit { requires, writes, durable }),
        2 => Just(Step::Snapshot),
        6 => (any::<usize>(), key(), key(), 0_usize..10)
            .prop_map(|(which, start, end, limit)| Step::Scan { which, start, end, limit }),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

/// Few and short keys, so that they meet and are prefixes of each other.
fn key() -> impl Strategy<Value = Bytes> {
    vec(prop::sample::select(vec![0_u8, b'a', b'b', 0xff]), 1..4).prop_map(Bytes::from)
}

fn write() -> impl Strategy<Value = Write> {
    let value = prop_oneof![4 => vec(any::<u8>(), 1..20), 1 => vec(any::<u8>(), 5_000..20_000)];
    prop_oneof![
        3 => (key(), value).prop_map(|(key, value)| Write::Put(key, value.into())),
        1 => key().prop_map(Write::Delete),
    ]
}
