use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use eventlog::embedded::{EmbeddedLog, Settings};
use eventlog::{EventLog, conformance};
use model::Timestamp;

async fn run(settings: Settings) {
    let home = tempfile::tempdir().unwrap();
    let time = Arc::new(AtomicI64::new(1_700_000_000_000));
    conformance::run(async |place: &str| {
        let time = Arc::clone(&time);
        // A clock that steps back now and then, as clocks do.
        let now = move || {
            let tick = time.fetch_add(1, Ordering::SeqCst);
            Timestamp(if tick % 7 == 0 { tick - 5 } else { tick })
        };
        let log: Arc<dyn EventLog> =
            Arc::new(EmbeddedLog::open(home.path().join(place), &settings, now).unwrap());
        log
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_many_small_files() {
    run(Settings {
        partitions: 3,
        segment_bytes: 16 * 1024,
        retain_bytes: Some(0),
        tail_bytes: 0,
        ..Settings::default()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_one_file_and_memory() {
    run(Settings { partitions: 2, retain_age_ms: Some(0), ..Settings::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_queue_and_a_tail_smaller_than_a_record() {
    run(Settings {
        partitions: 2,
        segment_bytes: 100_000,
        retain_bytes: Some(30_000),
        max_queued_bytes: 500,
        tail_bytes: 900,
        ..Settings::default()
    })
    .await;
}
