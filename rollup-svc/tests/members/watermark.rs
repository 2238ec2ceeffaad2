//! How far a partition is complete goes on with the clock, also when nothing else happens.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use clock::Clock;
use eventlog::{Chunk, EventLog};
use keyspace::checkpoint::{self, Checkpoint};
use model::{Kind, Partition, Position, Timestamp};
use rollup_svc::worker::Worker;
use rollup_svc::{Settings, rewind};

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

/// A log that is slow to say where it ends: the clock goes on before the answer is there.
struct SlowEnd {
    inner: Arc<dyn EventLog>,
    clock: Clock,
}

#[async_trait]
impl EventLog for SlowEnd {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }
    async fn append(&self, partition: Partition, record: Bytes) -> eventlog::Result<Position> {
        self.inner.append(partition, record).await
    }
    async fn read(&self, partition: Partition, from: Position, max: usize) -> eventlog::Result<Chunk> {
        self.inner.read(partition, from, max).await
    }
    async fn wait(&self, partition: Partition, from: Position) -> eventlog::Result<()> {
        self.inner.wait(partition, from).await
    }
    async fn first(&self, partition: Partition) -> eventlog::Result<Position> {
        self.inner.first(partition).await
    }
    async fn end(&self, partition: Partition) -> eventlog::Result<Position> {
        let end = self.inner.end(partition).await;
        self.clock.advance(5_000);
        end
    }
    async fn at_or_after(&self, partition: Partition, time: Timestamp) -> eventlog::Result<Position> {
        self.inner.at_or_after(partition, time).await
    }
    async fn release(&self, partition: Partition, floor: Position) -> eventlog::Result<()> {
        self.inner.release(partition, floor).await
    }
}

/// A hit that is acknowledged while the log is asked is not before that end, and is before the time at which the answer is
/// there: only what was the time before the question is complete.
#[tokio::test]
async fn it_is_the_time_before_the_log_was_asked_for_its_end() {
    let (platform, clock, worker, _dir) = idle().await;
    drop(worker);
    let log = Arc::new(SlowEnd { inner: Arc::clone(&platform.log), clock: clock.clone() });
    let platform = host::Platform { log, ..platform };
    clock.advance(60_000);
    let mut worker = Worker::begin(platform.clone(), Settings::default(), Partition(0)).await.unwrap();
    let asked_at = clock.now();
    worker.turn().await.unwrap();
    assert_eq!(clock.now(), asked_at.plus_millis(5_000), "it was asked once");
    worker.flush(0).await.unwrap();
    assert_eq!(complete_until(&platform).await, asked_at.0);
}
