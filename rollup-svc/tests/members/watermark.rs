//! How far a partition is complete goes on with the clock, also when nothing else happens.

use std::sync::Arc;

use clock::Clock;
use keyspace::checkpoint::{self, Checkpoint};
use model::{Kind, Partition, Timestamp};
use rollup_svc::worker::Worker;
use rollup_svc::{Settings, rewind};

use crate::taps::TappedLog;

const NOON: i64 = 1_431_864_000_000; // 2015-05-17T12:00:00Z

async fn idle() -> (host::Platform, Clock, Worker, tempfile::TempDir) {
    let (dir, clock) = (tempfile::tempdir().unwrap(), Clock::manual(Timestamp(NOON), 1));
    let log = eventlog::embedded::Settings { partitions: 1, ..Default::default() };
    let platform =
        host::platform::embedded(dir.path(), log, Default::default(), clock.clone()).await.unwrap();
    let mut worker = Worker::begin(platform.clone(), Settings::default(), Partition(0)).await.unwrap();
    worker.turn().await.unwrap();
    worker.flush(0).await.unwrap();
    (platform, clock, worker, dir)
}

async fn complete_until(platform: &host::Platform) -> i64 {
    let found = platform.store.get(&checkpoint::key(Partition(0))).await.unwrap().unwrap();
    Checkpoint::decode(&found).unwrap().complete_until.0
}

/// Two looks at the clock within a millisecond, or a clock that was set back, say nothing new.
#[tokio::test]
async fn it_goes_on_after_a_flush_that_had_nothing_new_to_say() {
    for pause in [0, -60_000] {
        let (platform, clock, mut worker, _dir) = idle().await;
        assert_eq!(complete_until(&platform).await, NOON);
        clock.advance(pause);
        worker.turn().await.unwrap();
        worker.flush(0).await.unwrap();
        assert_eq!(complete_until(&platform).await, NOON, "it never goes back");
        clock.advance(70_000);
        worker.turn().await.unwrap();
        worker.flush(0).await.unwrap();
        assert_eq!(complete_until(&platform).await, NOON + pause + 70_000);
    }
}

#[tokio::test]
async fn a_rewind_is_noticed_by_a_flush_that_has_nothing_to_say() {
    let (platform, _clock, mut worker, _dir) = idle().await;
    let places = rewind::places(&*platform.store, &*platform.log).await.unwrap();
    rewind::begin(&*platform.store, &places).await.unwrap();
    worker.turn().await.unwrap();
    assert_eq!(worker.flush(0).await.unwrap_err().kind(), Kind::Conflict);
}

/// A hit that is acknowledged while the log is asked is not before that end, and is before the time at which the answer is
/// there: only what was the time before the question is complete.
#[tokio::test]
async fn it_is_the_time_before_the_log_was_asked_for_its_end() {
    let (platform, clock, worker, _dir) = idle().await;
    drop(worker);
    let inner = Arc::clone(&platform.log);
    let log = Arc::new(TappedLog { inner, seen: Default::default(), clock: Some(clock.clone()) });
    let platform = host::Platform { log, ..platform };
    clock.advance(60_000);
    let mut worker = Worker::begin(platform.clone(), Settings::default(), Partition(0)).await.unwrap();
    let asked_at = clock.now();
    worker.turn().await.unwrap();
    assert_eq!(clock.now(), asked_at.plus_millis(5_000), "it was asked once");
    worker.flush(0).await.unwrap();
    assert_eq!(complete_until(&platform).await, asked_at.0);
}
