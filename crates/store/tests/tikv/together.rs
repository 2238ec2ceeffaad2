//! Several stores in one cluster, at the same time.

use std::sync::Arc;
use std::time::Duration;

use store::tikv::{Settings, TikvStore};
use store::{Batch, Error};
use test_servers::{Server, Tikv, available};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::cluster::{all, batch_of, open, open_with, put, settings, until};
use crate::orphans::what_a_dead_client_left_without_a_trace_is_undone;
use crate::wire::pd_says;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_share_a_cluster() {
    if !available(&[Server::Tikv]) {
        return;
    }
    let cluster = Tikv::start(1).await.unwrap();
    // First, since every store that is opened takes part in it.
    old_values_are_released(&cluster).await;
    installations_do_not_see_each_other(&cluster).await;
    two_commits_cannot_each_change_what_the_other_requires(&cluster).await;
    a_commit_without_requirements_never_conflicts(&cluster).await;
    a_commit_that_was_begun_goes_on(&cluster).await;
    large_batches_are_atomic(&cluster).await;
    large_values_are_read_in_pages(&cluster).await;
    what_a_dead_client_left_without_a_trace_is_undone(&cluster).await;
    a_snapshot_is_not_read_beyond_its_time(&cluster).await;
}

#[tokio::test]
async fn says_which_placement_driver_does_not_answer() {
    let nobody = format!("127.0.0.1:{}", test_servers::free_port().unwrap());
    let refused = TikvStore::open(&Settings { endpoints: nobody.clone(), ..Settings::default() }).await;
    let said = refused.err().unwrap().to_string();
    assert!(said.starts_with("the store failed to open the store: "), "{said}");
    assert!(said.contains(&nobody), "{said}");
}

/// Not as what may pass, since no waiting mends it.
#[tokio::test]
async fn refuses_a_wrong_setting() {
    let endpoints = "127.0.0.1:1".to_owned();
    let wrong = Settings { endpoints, prefix: "a/b".to_owned(), ..Settings::default() };
    let refused = TikvStore::open(&wrong).await.err().unwrap();
    assert_eq!(refused.kind(), model::Kind::Invalid, "{refused}");
    assert!(refused.to_string().starts_with("tikv.prefix \"a/b\" is not allowed: "), "{refused}");
}

async fn installations_do_not_see_each_other(cluster: &Tikv) {
    let (one, other) = (open(cluster, "site").await, open(cluster, "site-2").await);
    put(&*one, "a/key", "one").await;
    put(&*other, "a/key", "other").await;
    put(&*other, "a/only", "other").await;
    assert_eq!(all(&*one, "a/").await, [("a/key".into(), "one".into())]);
    let everything = one.snapshot().await.unwrap().scan(b"", &[0xff; 16], 100).await.unwrap();
    assert_eq!(everything, [("a/key".into(), "one".into())]);
    assert_eq!(all(&*other, "a/").await.len(), 2);
    // Two processes of one installation see the same.
    assert_eq!(open(cluster, "site").await.get(b"a/key").await.unwrap(), Some("one".into()));
}

async fn two_commits_cannot_each_change_what_the_other_requires(cluster: &Tikv) {
    let (one, other) = (open(cluster, "skew").await, open(cluster, "skew").await);
    for round in 0..30 {
        let (left, right) = (format!("{round}/left"), format!("{round}/right"));
        let change = |required: &String, written: &String| {
            let mut batch = Batch::default();
            batch.require(required.clone(), None).put(written.clone(), "1");
            batch
        };
        let answers = tokio::join!(one.commit(change(&left, &right)), other.commit(change(&right, &left)));
        let ((Ok(()), Err(Error::Conflict { .. })) | (Err(Error::Conflict { .. }), Ok(()))) = answers else {
            panic!("round {round}: {answers:?}");
        };
        assert_eq!(all(&*one, &format!("{round}/")).await.len(), 1);
    }
}

async fn a_commit_without_requirements_never_conflicts(cluster: &Tikv) {
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let store = open(cluster, "blind").await;
        tasks.spawn(async move {
            for _ in 0..15 {
                store.commit(batch_of("key/", 3, format!("task {task}").as_bytes())).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let found = all(&*open(cluster, "blind").await, "key/").await;
    assert_eq!(found.len(), 3);
    assert!(found.windows(2).all(|pair| pair[0].1 == pair[1].1), "a mixture: {found:?}");
}

async fn a_commit_that_was_begun_goes_on(cluster: &Tikv) {
    let store = open(cluster, "dropped").await;
    let given_up = timeout(Duration::from_millis(1), store.commit(batch_of("key/", 500, b"1"))).await;
    assert!(given_up.is_err(), "the commit was too fast to be given up");
    until("the commit is there", async || match all(&*store, "key/").await.len() {
        0 => false,
        500 => true,
        some => panic!("{some} of 500 keys"),
    })
    .await;
}

async fn large_batches_are_atomic(cluster: &Tikv) {
    let store = open(cluster, "large").await;
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 1..=2 {
                store.commit(batch_of("key/", 5_000, &[round; 100])).await.unwrap();
            }
        }
    });
    let mut last = 0;
    while last < 2 {
        let found = all(&*store, "key/").await;
        assert!(found.len() == 5_000 || found.is_empty() && last == 0, "{} of 5000 keys", found.len());
        let rounds: Vec<u8> = found.iter().map(|(_, value)| value[0]).collect();
        assert!(rounds.windows(2).all(|pair| pair[0] == pair[1]), "a mixture of two commits");
        last = rounds.first().copied().unwrap_or(0);
    }
    writer.await.unwrap();
}

/// Together they are far longer than the page that they would be if they were small.
async fn large_values_are_read_in_pages(cluster: &Tikv) {
    let store = open(cluster, "pages").await;
    put(&*store, "page/000", "small").await;
    let names: Vec<_> = (1..=40).map(|number| format!("page/{number:03}")).collect();
    for name in &names {
        let mut batch = Batch::default();
        batch.put(name.clone(), vec![name.as_bytes()[7]; 1 << 20]);
        store.commit(batch).await.unwrap();
    }
    let found = all(&*store, "page/").await;
    assert_eq!(found.len(), 41);
    for ((key, value), name) in found[1..].iter().zip(&names) {
        assert_eq!(key, name);
        assert!(value.len() == 1 << 20 && value.iter().all(|&byte| byte == name.as_bytes()[7]), "{name}");
    }
    let keys: Vec<_> = names.iter().map(|name| name.clone().into()).collect();
    let values = store.snapshot().await.unwrap().get_many(&keys).await.unwrap();
    assert!(values.into_iter().map(Option::unwrap).eq(found[1..].iter().map(|(_, value)| value.clone())));
}

async fn a_snapshot_is_not_read_beyond_its_time(cluster: &Tikv) {
    let short = Settings { timeout_ms: 500, keep_versions_s: 2, ..settings(cluster, "short") };
    let store = open_with(&short).await;
    put(&*store, "key", "value").await;
    let snapshot = store.snapshot().await.unwrap();
    assert_eq!(snapshot.get(b"key").await.unwrap(), Some("value".into()));
    sleep(Duration::from_millis(1_600)).await;
    for failed in [
        snapshot.get(b"key").await.unwrap_err(),
        snapshot.get_many(&["key".into()]).await.unwrap_err(),
        snapshot.scan(b"a", b"z", 1).await.unwrap_err(),
    ] {
        assert!(failed.to_string().contains("tikv.keep_versions_s"), "{failed}");
    }
    assert_eq!(store.get(b"key").await.unwrap(), Some("value".into()), "a new snapshot");
}

/// The safe point moves, and stays behind what the most patient process wants, but not behind what one wanted that is gone.
async fn old_values_are_released(cluster: &Tikv) {
    const PATIENT_S: u64 = 5_000;
    const GONE: &str = ".hitmill-gc/wanted/gone/1";
    let client = tikv_client::TransactionClient::new(cluster.endpoints()).await.unwrap();
    let before = client.current_timestamp().await.unwrap().physical - 100_000_000;
    let mut left = client.begin_optimistic().await.unwrap();
    left.put(GONE.to_owned(), format!("90000 {before}")).await.unwrap();
    left.commit().await.unwrap();

    assert_eq!(safe_point_s(cluster).await, 0);
    // Of one installation, as while a setting is rolled out.
    let patient = Settings { keep_versions_s: PATIENT_S, ..settings(cluster, "rolled") };
    let patient = open_with(&patient).await;
    put(&*patient, "key", "old").await;
    let snapshot = patient.snapshot().await.unwrap();
    let hasty = Settings { timeout_ms: 500, keep_versions_s: 2, ..settings(cluster, "rolled") };
    let hasty = open_with(&hasty).await;
    put(&*hasty, "key", "new").await;
    until("the safe point has moved", async || safe_point_s(cluster).await > 0).await;
    // Two more rounds of the hasty one; the other has none yet.
    sleep(Duration::from_millis(2_500)).await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let behind = now - safe_point_s(cluster).await;
    assert!((PATIENT_S..PATIENT_S + 60).contains(&behind), "the safe point is {behind} s behind");
    assert_eq!(snapshot.get(b"key").await.unwrap(), Some("old".into()));
    assert_eq!(hasty.get(b"key").await.unwrap(), Some("new".into()));

    let now = client.current_timestamp().await.unwrap();
    let mut after = client.snapshot(now, tikv_client::TransactionOptions::new_optimistic());
    // The server of the tests answers with an empty value where there is none.
    let record = after.get(GONE.to_owned()).await.unwrap().unwrap_or_default();
    assert!(record.is_empty(), "the record of one that is gone is still there: {record:?}");
}

/// As PD has it, in seconds since 1970.
async fn safe_point_s(cluster: &Tikv) -> u64 {
    let reply = pd_says(cluster, "/pd/api/v1/gc/safepoint").await;
    // The lower 18 bits count within a millisecond.
    (reply["gc_safe_point"].as_u64().unwrap() >> 18) / 1_000
}
