//! The servers come up, survive what tests do to them, and leave nothing behind.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use test_servers::{Haproxy, Offload, Pulsar, PulsarOptions, S3, Server, Tikv, available, free_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

const TOPIC: &str = "persistent/public/default/kept";

fn runs(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn pulsar_keeps_its_data_when_killed_and_offloads_to_s3() {
    if !available(&[Server::Pulsar, Server::S3]) {
        return;
    }
    let s3 = S3::start().await.unwrap();
    let offload = Offload::S3 { endpoint: s3.endpoint(), bucket: S3::BUCKET.into() };
    let options = PulsarOptions { offload, entries_per_ledger: 5, linked: true, ..PulsarOptions::default() };
    let mut pulsar = Pulsar::start(options).await.unwrap();
    let keep_all = r#"{"retentionTimeInMinutes":-1,"retentionSizeInMB":-1}"#;
    ask(&pulsar, "POST", "/admin/v2/namespaces/public/default/retention", keep_all).await;
    ask(&pulsar, "PUT", &format!("/admin/v2/{TOPIC}"), "").await;
    let found = ask(&pulsar, "GET", &format!("/lookup/v2/topic/{}", TOPIC), "").await;
    assert!(found.contains(&pulsar.url()), "clients are sent to the link: {found}");

    // Twelve entries: two full ledgers and one of two.
    let message = r#"{"valueSchema":"{\"name\":\"\",\"schema\":\"\",\"type\":\"STRING\",\"properties\":{}}",
        "messages":[{"payload":"one"}]}"#;
    let mut last = String::new();
    for _ in 0..12 {
        last = ask(&pulsar, "POST", &format!("/topics/{TOPIC}"), message).await;
    }
    assert_eq!(ledgers(&pulsar).await, (12, 0));
    let last: serde_json::Value = serde_json::from_str(&last).unwrap();
    let last = last["messagePublishResults"][0]["messageId"].as_str().unwrap();
    let (ledger, entry) = last.strip_suffix(":-1").unwrap().split_once(':').unwrap();
    let up_to = format!(r#"{{"ledgerId":{ledger},"entryId":{entry},"partitionIndex":-1}}"#);
    ask(&pulsar, "PUT", &format!("/admin/v2/{TOPIC}/offload"), &up_to).await;
    until("two ledgers in the bucket", async || ledgers(&pulsar).await == (12, 2)).await;
    // Each is its data and an index.
    assert_eq!(s3.keys().await.unwrap().len(), 4);

    let first = pulsar.process_id().unwrap();
    pulsar.kill().await.unwrap();
    assert!(!runs(first));
    assert!(pulsar.admin("GET", "/admin/v2/clusters", "").await.is_err(), "nobody answers");
    pulsar.start_again().await.unwrap();
    assert_eq!(ledgers(&pulsar).await, (12, 2));

    let (data, processes) =
        (pulsar.data().to_owned(), [pulsar.process_id().unwrap(), s3.process_id().unwrap()]);
    assert!(data.join("bookkeeper").is_dir());
    drop((pulsar, s3));
    assert!(!data.exists());
    assert!(!processes.into_iter().any(runs));
}

async fn ask(pulsar: &Pulsar, method: &str, path: &str, json: &str) -> String {
    pulsar.admin(method, path, json).await.unwrap().success().unwrap()
}

/// How many entries the topic has, and how many of its ledgers are offloaded.
async fn ledgers(pulsar: &Pulsar) -> (u64, usize) {
    // Only a topic that is loaded has these figures; looking it up loads it.
    ask(pulsar, "GET", &format!("/admin/v2/{TOPIC}/stats"), "").await;
    let stats = ask(pulsar, "GET", &format!("/admin/v2/{TOPIC}/internalStats"), "").await;
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    let offloaded = stats["ledgers"].as_array().unwrap().iter().filter(|ledger| ledger["offloaded"] == true);
    (stats["numberOfEntries"].as_u64().unwrap(), offloaded.count())
}

#[tokio::test]
async fn three_stores_split_move_and_outlive_one() {
    if !available(&[Server::Tikv]) {
        return;
    }
    let mut tikv = Tikv::start_linked(3).await.unwrap();
    assert_eq!(tikv.store_count(), 3);
    let first = format!("127.0.0.1:{}", tikv.link(0).unwrap().port());
    assert_eq!(tikv.store_address(0).unwrap(), first, "clients are sent to the link");
    assert!(tikv.pd().regions().await.unwrap().iter().all(|region| region.stores.len() == 3));
    let before = tikv.pd().region_count().await.unwrap();
    tikv.pd().split_at(b"middle").await.unwrap();
    assert_eq!(tikv.pd().region_count().await.unwrap(), before + 1);
    let [left, right] =
        [tikv.pd().region_of(b"middl").await.unwrap(), tikv.pd().region_of(b"middle").await.unwrap()];
    assert_eq!(left.end, right.start);
    assert_eq!(right.start, *b"middle\0\0\xfd", "two zeros fill the group of eight: 255 - 2");

    let to = *right.stores.iter().find(|&&store| Some(store) != right.leader).unwrap();
    tikv.pd().move_leader(b"middle", to).await.unwrap();
    assert_eq!(tikv.pd().region_of(b"middle").await.unwrap().leader, Some(to));

    let mut gone = 0;
    for i in 0..3 {
        if tikv.pd().store_id(tikv.store_address(i).unwrap()).await.unwrap() == to {
            gone = i;
        }
    }
    tikv.kill_store(gone).await.unwrap();
    until("a leader elsewhere", async || {
        tikv.pd().region_of(b"middle").await.unwrap().leader.is_some_and(|leader| leader != to)
    })
    .await;
    tikv.start_store(gone).await.unwrap();
    tikv.kill_pd().await.unwrap();
    assert!(tikv.pd().regions().await.is_err(), "nobody answers");
    tikv.start_pd().await.unwrap();
    let processes = tikv.process_ids();
    assert_eq!(processes.len(), 4);
    drop(tikv);
    assert!(!processes.into_iter().any(runs));
}

#[tokio::test]
async fn haproxy_reloads_and_can_be_killed() {
    if !available(&[Server::Haproxy]) {
        return;
    }
    let port = free_port().unwrap();
    let config = |answer: u16| {
        format!(
            "global\n  stats socket {{folder}}/stats level admin\n\
             defaults\n  mode http\n  timeout client 5s\n  timeout connect 5s\n  timeout server 5s\n\
             frontend door\n  bind 127.0.0.1:{port}\n  http-request return status {answer}\n"
        )
    };
    let mut haproxy = Haproxy::start(&config(200), port).await.unwrap();
    assert_eq!(status_at(port).await, "HTTP/1.1 200 OK");
    let mut socket = UnixStream::connect(haproxy.folder().join("stats")).await.unwrap();
    socket.write_all(b"show info\n").await.unwrap();
    let mut info = String::new();
    socket.read_to_string(&mut info).await.unwrap();
    assert!(info.contains(&format!("Pid: {}\n", haproxy.process_id().unwrap())), "{info}");

    haproxy.reload(&config(404)).await.unwrap();
    until("the new answer", async || status_at(port).await == "HTTP/1.1 404 Not Found").await;
    haproxy.kill().await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "nobody listens");
    haproxy.start_again().await.unwrap();
    assert_eq!(status_at(port).await, "HTTP/1.1 404 Not Found");
}

async fn status_at(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// What the test below kills: the same test program, running this alone.
#[tokio::test]
#[ignore = "run, and killed, by nothing_is_left_of_a_killed_test"]
async fn victim() {
    let tikv = Tikv::start(1).await.unwrap();
    let ids: Vec<String> = tikv.process_ids().iter().map(u32::to_string).collect();
    println!("\nservers {} {}", tikv.data().display(), ids.join(" "));
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn nothing_is_left_of_a_killed_test() {
    if !available(&[Server::Tikv]) {
        return;
    }
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "victim"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines().map(Result::unwrap);
    let servers = lines.find_map(|line| line.strip_prefix("servers ").map(str::to_owned)).unwrap();
    let (data, ids) = servers.split_once(' ').unwrap();
    let ids: Vec<u32> = ids.split(' ').map(|id| id.parse().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert!(Path::new(data).is_dir() && ids.iter().copied().all(runs));
    test.kill().unwrap();
    test.wait().unwrap();
    until("all gone", async || !Path::new(data).exists() && !ids.iter().copied().any(runs)).await;
}
