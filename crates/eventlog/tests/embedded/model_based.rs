//! Any sequence of uses, against the simplest log there is: a list.

use std::path::Path;

use bytes::Bytes;
use eventlog::embedded::{EmbeddedLog, Settings};
use eventlog::{Error, EventLog};
use model::{Partition, Position, Timestamp};
use proptest::prelude::*;

use super::{Hand, noise};

const PARTITIONS: u16 = 2;

#[derive(Clone, Debug)]
enum Use {
    Append { partition: u16, seed: u8, bytes: usize, later_ms: i64 },
    AppendTogether { partition: u16, count: usize, bytes: usize },
    Read { partition: u16, from: u64, max_bytes: usize },
    AtOrAfter { partition: u16, time: i64 },
    Release { partition: u16, floor: u64 },
    Reopen,
}

fn uses() -> impl Strategy<Value = Use> {
    let partition = 0..PARTITIONS;
    prop_oneof![
        6 => (partition.clone(), any::<u8>(), 0usize..400, -3i64..10)
            .prop_map(|(partition, seed, bytes, later_ms)| Use::Append { partition, seed, bytes, later_ms }),
        2 => (partition.clone(), 1usize..12, 0usize..300)
            .prop_map(|(partition, count, bytes)| Use::AppendTogether { partition, count, bytes }),
        6 => (partition.clone(), 0u64..60, 0usize..3_000)
            .prop_map(|(partition, from, max_bytes)| Use::Read { partition, from, max_bytes }),
        2 => (partition.clone(), 0i64..100).prop_map(|(partition, time)| Use::AtOrAfter { partition, time }),
        1 => (partition, 0u64..40).prop_map(|(partition, floor)| Use::Release { partition, floor }),
        1 => Just(Use::Reopen),
    ]
}

#[derive(Default)]
struct Modelled {
    records: Vec<(i64, Bytes)>,
    /// The highest floor since the log was opened, and the first record then and now.
    floor: u64,
    first: u64,
}

struct Checked {
    log: Option<EmbeddedLog>,
    clock: Hand,
    time: i64,
    model: [Modelled; PARTITIONS as usize],
}

impl Checked {
    fn reopen(&mut self, home: &Path, settings: &Settings) {
        // Closed before it is opened again.
        self.log = None;
        self.log = Some(EmbeddedLog::open(home, settings, self.clock.now()).unwrap());
        self.model.iter_mut().for_each(|model| model.floor = 0);
    }

    async fn append(&mut self, partition: u16, records: Vec<Bytes>) {
        let log = self.log.as_ref().unwrap();
        let appends = records.iter().map(|record| log.append(Partition(partition), record.clone()));
        let positions = all_in_order(appends.collect()).await;
        let model = &mut self.model[usize::from(partition)];
        // The log was made at 0, and its time does not go back.
        let at = model.records.last().map_or(0, |last| last.0).max(self.time);
        for (position, record) in positions.into_iter().zip(records) {
            assert_eq!(position, Position::of_entry(model.records.len() as u64));
            model.records.push((at, record));
        }
    }

    async fn read(&self, partition: u16, from: u64, max_bytes: usize) {
        let log = self.log.as_ref().unwrap();
        let model = &self.model[usize::from(partition)];
        let read = log.read(Partition(partition), Position::of_entry(from), max_bytes).await;
        if from < model.first {
            assert!(matches!(read, Err(Error::Gone { .. })), "{read:?}");
            return;
        }
        let chunk = read.unwrap();
        let rest = model.records.get(from as usize..).unwrap_or_default();
        assert_eq!(chunk.entries.is_empty(), rest.is_empty());
        assert_eq!(chunk.next, Position::of_entry(from + chunk.entries.len() as u64));
        for (at, (entry, (appended_at, record))) in chunk.entries.iter().zip(rest).enumerate() {
            assert_eq!(entry.position, Position::of_entry(from + at as u64));
            assert_eq!((entry.appended_at, &entry.record), (Timestamp(*appended_at), record));
        }
        let bytes: usize = chunk.entries.iter().map(|entry| entry.record.len()).sum();
        assert!(chunk.entries.len() <= 1 || bytes <= max_bytes);
    }

    async fn at_or_after(&self, partition: u16, time: i64) {
        let model = &self.model[usize::from(partition)];
        let later = |(at, (time_of, _)): (usize, &(i64, Bytes))| at as u64 >= model.first && *time_of >= time;
        let expected = model.records.iter().enumerate().position(later).unwrap_or(model.records.len());
        let found =
            self.log.as_ref().unwrap().at_or_after(Partition(partition), Timestamp(time)).await.unwrap();
        assert_eq!(found, Position::of_entry(expected as u64));
    }

    async fn check_ends(&mut self) {
        let log = self.log.as_ref().unwrap();
        for (number, model) in self.model.iter_mut().enumerate() {
            let partition = Partition(number as u16);
            assert_eq!(log.end(partition).await.unwrap(), Position::of_entry(model.records.len() as u64));
            let first = log.first(partition).await.unwrap().entry;
            // Which whole files go is the log's business; that none goes above the floor is ours.
            assert!(first == model.first || (first > model.first && first <= model.floor));
            model.first = first;
        }
    }
}

/// Polls appends in order, so that they are queued in order, and side by side.
async fn all_in_order<F: Future<Output = eventlog::Result<Position>>>(appends: Vec<F>) -> Vec<Position> {
    let mut pending: Vec<_> = appends.into_iter().map(Box::pin).collect();
    let mut done = vec![None; pending.len()];
    std::future::poll_fn(|context| {
        for (append, done) in pending.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(position) = append.as_mut().poll(context) {
                *done = Some(position.unwrap());
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

async fn check(uses: Vec<Use>, segment_bytes: u64, tail_bytes: usize) {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings {
        partitions: PARTITIONS,
        segment_bytes,
        tail_bytes,
        retain_bytes: Some(u64::from(PARTITIONS) * 2_000),
        ..Settings::default()
    };
    let mut checked = Checked { log: None, clock: Hand::default(), time: 0, model: Default::default() };
    checked.reopen(home.path(), &settings);
    for one in uses {
        match one {
            Use::Append { partition, seed, bytes, later_ms } => {
                checked.time += later_ms;
                checked.clock.set(checked.time);
                checked.append(partition, vec![noise(seed, bytes).into()]).await;
            }
            Use::AppendTogether { partition, count, bytes } => {
                let records = (0..count).map(|n| Bytes::from(vec![n as u8; bytes])).collect();
                checked.append(partition, records).await;
            }
            Use::Read { partition, from, max_bytes } => checked.read(partition, from, max_bytes).await,
            Use::AtOrAfter { partition, time } => checked.at_or_after(partition, time).await,
            Use::Release { partition, floor } => {
                let model = &mut checked.model[usize::from(partition)];
                model.floor = model.floor.max(floor);
                let log = checked.log.as_ref().unwrap();
                log.release(Partition(partition), Position::of_entry(floor)).await.unwrap();
            }
            Use::Reopen => checked.reopen(home.path(), &settings),
        }
        checked.check_ends().await;
    }
    checked.reopen(home.path(), &settings);
    for partition in 0..PARTITIONS {
        for from in 0..=checked.model[usize::from(partition)].records.len() as u64 {
            checked.read(partition, from, 1_000).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn it_is_a_list(
        uses in proptest::collection::vec(uses(), 1..50),
        segment_bytes in prop_oneof![Just(1u64), Just(1_000), Just(1_000_000)],
        tail_bytes in prop_oneof![Just(0usize), Just(500), Just(1_000_000)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(uses, segment_bytes, tail_bytes));
    }
}
