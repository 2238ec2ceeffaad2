use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hitmill_sdk::{BuildError, Client, Hit};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::mock::{Mock, Received};

fn client(address: &str, dir: &Path) -> Client {
    Client::builder(address, "k").queue_dir(dir).build().unwrap()
}

fn places(hits: &[Received]) -> Vec<(u64, u64, String)> {
    hits.iter().map(|received| (received.epoch, received.seq, received.hit.name.clone())).collect()
}

#[test]
fn hits_of_a_client_that_ended_without_a_word_go_out_under_the_same_seqs() {
    let dir = TempDir::new().unwrap();
    let server = Runtime::new().unwrap();
    let mut mock = server.block_on(Mock::start());

    let process = Runtime::new().unwrap();
    let entered = process.enter();
    let before = client(&mock.address, dir.path());
    drop(entered);
    before.identify("user-1");
    (0..5).for_each(|n| before.track(Hit::new(format!("h{n}"))));
    let id = before.client_id().to_owned();
    let sent = server.block_on(async {
        let mut session = mock.open(5).await;
        session.collect(5).await.1
    });
    // Takes the task with it, as the end of the process would.
    drop(process);

    let process = Runtime::new().unwrap();
    let entered = process.enter();
    let after = client(&mock.address, dir.path());
    drop(entered);
    after.track(Hit::new("h5"));
    let again = server.block_on(async {
        let mut session = mock.session().await;
        assert_eq!(session.setup().await.client_id, id);
        session.ready();
        session.credit(10);
        let (frames, hits) = session.collect(6).await;
        session.ack(frames);
        after.shutdown().await.unwrap();
        hits
    });
    assert_eq!(places(&again[..5]), places(&sent));
    assert_eq!((again[5].seq, again[5].hit.name.as_str()), (6, "h5"));
    assert_eq!(again[5].hit.context.as_ref().unwrap().user_id, "user-1");
    assert_eq!((after.stats().restored, after.stats().acked), (5, 6));
}

/// The process that is killed: it fires hits until then.
#[test]
#[ignore = "run by the test that kills it"]
fn victim() {
    let (Ok(address), Ok(dir)) = (std::env::var("VICTIM_SERVER"), std::env::var("VICTIM_DIR")) else {
        return;
    };
    let client = client(&address, Path::new(&dir));
    for n in 1.. {
        client.track(Hit::new(format!("h{n}")));
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[tokio::test]
async fn a_process_killed_in_the_middle_loses_and_renames_nothing_that_was_sent() {
    let dir = TempDir::new().unwrap();
    let mut mock = Mock::start().await;
    let mut sent = Vec::new();
    for _ in 0..3 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "disk::victim", "--ignored"])
            .env("VICTIM_SERVER", &mock.address)
            .env("VICTIM_DIR", dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut session = mock.open(200).await;
        sent.push(session.collect(200).await.1);
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
    let client = client(&mock.address, dir.path());
    let left = usize::try_from(client.stats().queued).unwrap();
    let mut session = mock.open(1_000_000).await;
    let (frames, last) = session.collect(left).await;
    session.ack(frames);
    client.flush().await.unwrap();

    let last = places(&last);
    let seqs: Vec<u64> = last.iter().map(|(_, seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=left as u64).collect::<Vec<_>>());
    for earlier in sent {
        assert_eq!(places(&earlier), last[..earlier.len()]);
    }
}

#[tokio::test]
async fn a_second_client_in_the_same_directory_is_refused() {
    let dir = TempDir::new().unwrap();
    let first = client("http://127.0.0.1:1", dir.path());
    let second = Client::builder("http://127.0.0.1:1", "k").queue_dir(dir.path()).build();
    assert!(matches!(second, Err(BuildError::QueueInUse { .. })));
    drop(first);
}
