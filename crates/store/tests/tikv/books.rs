//! Commits under load while something breaks, and the books about them: what was answered against what is there.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use store::{Batch, Error, Store};
use tokio::task::JoinSet;

use crate::cluster::{all, until};

const TASKS: usize = 8;
const COUNTERS: usize = 4; // two tasks share one
const KEYS: usize = 20; // of each commit, beside the counter
/// How many commits must succeed before the fault, and again after it.
const ENOUGH: usize = 40;

/// The answer to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Committed,
    Conflict,
    Unavailable,
    Unknown,
}

/// Every commit that was attempted, by the prefix of its keys.
pub(crate) struct Books(BTreeMap<String, Answer>);

/// Tasks increment counters by compare-and-set, each commit with keys of its own, from before `fault` until after it.
pub(crate) async fn under_load(store: &Arc<dyn Store>, fault: impl Future<Output = ()>) -> Books {
    let load = Arc::new(Load::default());
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(increment(Arc::clone(store), Arc::clone(&load), task));
    }
    let progress = async |from: usize| {
        until("commits succeed", async || load.committed.load(Ordering::Relaxed) >= from + ENOUGH).await;
    };
    progress(0).await;
    fault.await;
    progress(load.committed.load(Ordering::Relaxed)).await;
    load.ended.store(true, Ordering::Relaxed);
    Books(tasks.join_all().await.into_iter().flatten().collect())
}

#[derive(Default)]
struct Load {
    committed: AtomicUsize,
    ended: AtomicBool,
}

async fn increment(store: Arc<dyn Store>, load: Arc<Load>, task: usize) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    let counter = format!("counter/{}", task % COUNTERS);
    while !load.ended.load(Ordering::Relaxed) {
        let old = match store.get(counter.as_bytes()).await {
            Ok(old) => old,
            Err(Error::Unavailable { .. }) => continue,
            Err(error) => panic!("a read failed: {error}"),
        };
        let new = (number(old.as_ref()) + 1).to_string();
        let name = format!("attempt/{}/{task}-{:06}/", task % COUNTERS, answers.len());
        let mut batch = Batch::durable();
        for key in 0..KEYS {
            batch.put(format!("{name}{key:02}"), new.clone());
        }
        batch.require(counter.clone(), old).put(counter.clone(), new);
        let answer = match store.commit(batch).await {
            Ok(()) => Answer::Committed,
            Err(Error::Conflict { .. }) => Answer::Conflict,
            Err(Error::Unavailable { .. }) => Answer::Unavailable,
            Err(Error::Unknown { .. }) => Answer::Unknown,
            Err(error) => panic!("a commit failed: {error}"),
        };
        if answer == Answer::Committed {
            load.committed.fetch_add(1, Ordering::Relaxed);
        }
        answers.push((name, answer));
    }
    answers
}

impl Books {
    /// How many commits were answered so.
    pub(crate) fn count(&self, answer: Answer) -> usize {
        self.0.values().filter(|&&given| given == answer).count()
    }

    /// Holds the answers against the store: what was committed is there and whole, what was refused or failed is not, what
    /// is unknown is either; and each counter counted every commit that is there, once.
    pub(crate) async fn audit(&self, store: &dyn Store) {
        let mut there: BTreeMap<String, Vec<Bytes>> = BTreeMap::new();
        for (key, value) in all(store, "attempt/").await {
            let key = String::from_utf8(key.to_vec()).unwrap();
            let name = &key[..=key.rfind('/').unwrap()];
            there.entry(name.to_owned()).or_default().push(value);
        }
        let mut counted: HashMap<usize, Vec<usize>> = HashMap::new();
        for (name, values) in &there {
            assert_eq!(values.len(), KEYS, "{name} is not whole");
            assert!(values.iter().all(|value| value == &values[0]), "{name} is a mixture: {values:?}");
            let counter = name.split('/').nth(1).unwrap().parse().unwrap();
            counted.entry(counter).or_default().push(number(Some(&values[0])));
        }
        for (name, answer) in &self.0 {
            match answer {
                Answer::Committed => assert!(there.contains_key(name), "{name} is lost"),
                Answer::Conflict | Answer::Unavailable => {
                    assert!(!there.contains_key(name), "{name} is there, but the answer was {answer:?}");
                }
                Answer::Unknown => {}
            }
        }
        for counter in 0..COUNTERS {
            let value = number(store.get(format!("counter/{counter}").as_bytes()).await.unwrap().as_ref());
            let mut counted = counted.remove(&counter).unwrap_or_default();
            counted.sort_unstable();
            assert_eq!(counted, (1..=value).collect::<Vec<_>>(), "counter {counter}");
        }
    }
}

fn number(value: Option<&Bytes>) -> usize {
    value.map_or(0, |digits| std::str::from_utf8(digits).unwrap().parse().unwrap())
}
