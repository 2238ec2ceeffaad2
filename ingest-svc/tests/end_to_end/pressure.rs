//! A log that is slow, stuck or full: the clients feel it, and nothing that was acknowledged is lost.

use ingest_svc::Settings;
use proto::v1::client_frame::Frame as ToServer;
use proto::v1::ingest_service_client::IngestServiceClient;
use proto::v1::server_frame::Frame as ToClient;
use proto::v1::{Batch, Hit, Param, SendRequest, param};
use tonic::Code;

use crate::server::{Client, NOW, Server, batch, setup, within};

/// Hits of about 2 KB.
fn large(seqs: std::ops::Range<u64>) -> Batch {
    let text = param::Value::Text("x".repeat(2_000));
    let param = Param { name: "p".to_owned(), value: Some(text) };
    let hit = Hit { name: "a".to_owned(), time_ms: NOW, params: vec![param], ..Hit::default() };
    Batch { first_seq: seqs.start, hits: seqs.map(|_| hit.clone()).collect(), ..Batch::default() }
}

#[tokio::test]
async fn a_stuck_log_stops_the_credit_and_a_freed_one_gives_it_back() {
    let server = Server::start(Settings { credit_hits: 5_000, ..Settings::default() }).await;
    let mut client = server.client(setup("c")).await;
    assert_eq!(client.credit, 5_000);
    server.log.close(true);
    for first in [1, 2_501] {
        client.batch(batch(first..first + 2_500)).await;
    }
    let silent = tokio::time::timeout(std::time::Duration::from_millis(100), client.next()).await;
    assert!(silent.is_err(), "neither acks nor credit while nothing is durable");
    server.log.close(false);
    client.acked(2).await;
    while client.credit < 10_000 {
        client.next().await.unwrap();
    }
    assert_eq!(server.log.seqs("c").await.len(), 5_000);
}

#[tokio::test]
async fn full_memory_withholds_credit_from_everybody_until_there_is_room() {
    let server = Server::start(Settings { max_queued_bytes: 4 << 20, ..Settings::default() }).await;
    server.log.close(true);
    let mut greedy = server.client(setup("greedy")).await;
    // 5 MB: more than there is room for. The rest is not read.
    for n in 0..10 {
        greedy.batch(large(n * 250 + 1..(n + 1) * 250 + 1)).await;
    }
    let mut late = loop {
        let mut late = Client::connect(server.channel().await).await;
        late.send(ToServer::Setup(setup("late"))).await;
        assert!(matches!(late.next().await, Ok(Some(ToClient::Ready(_)))));
        let credit = tokio::time::timeout(std::time::Duration::from_millis(100), late.next()).await;
        if credit.is_err() {
            break late;
        }
    };
    server.log.close(false);
    greedy.acked(10).await;
    while late.credit == 0 {
        late.next().await.unwrap();
    }
    late.batch(batch(1..11)).await;
    late.acked(1).await;
    assert!(server.log.seqs("greedy").await.into_iter().eq(1..2_501));
}

#[tokio::test]
async fn a_full_disk_ends_the_streams_that_send_and_holds_back_the_others_until_it_works_again() {
    let server = Server::start(Settings { log_retry_ms: 10, ..Settings::default() }).await;
    let mut client = server.client(setup("c")).await;
    client.batch(batch(1..11)).await;
    client.acked(1).await;
    server.log.fill(true);
    client.batch(batch(11..21)).await;
    let status = client.ended().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("send them again"), "{}", status.message());
    assert_eq!(client.acked, 1);

    let mut again = Client::connect(server.channel().await).await;
    again.send(ToServer::Setup(setup("c"))).await;
    assert!(matches!(again.next().await, Ok(Some(ToClient::Ready(_)))));
    let credit = tokio::time::timeout(std::time::Duration::from_millis(100), again.next()).await;
    assert!(credit.is_err(), "no credit while nothing can be written");
    let mut unary = IngestServiceClient::new(server.channel().await);
    let request = || SendRequest { setup: Some(setup("u")), batches: vec![batch(1..2)] };
    assert_eq!(within(unary.send(request())).await.unwrap_err().code(), Code::Unavailable);

    server.log.fill(false);
    while again.credit == 0 {
        again.next().await.unwrap();
    }
    again.batch(batch(11..21)).await;
    again.acked(1).await;
    assert_eq!(within(unary.send(request())).await.unwrap().into_inner().accepted, 1);
    assert!(server.log.seqs("c").await.into_iter().eq(1..21));
}

#[tokio::test]
async fn a_small_record_waits_for_others_and_a_large_one_does_not() {
    // Longer than the test may take: what is appended was not waited for to the end.
    let server = Server::start(Settings { gather_ms: Some(3_600_000), ..Settings::default() }).await;
    let mut small = server.client(setup("c")).await;
    for first in 1..=5 {
        small.batch(batch(first..first + 1)).await;
    }
    let silent = tokio::time::timeout(std::time::Duration::from_millis(200), small.next()).await;
    assert!(silent.is_err(), "neither acks nor credit while the record waits");
    // 80 KB of the same client, and so of the same partition, make it worth an append.
    small.batch(large(6..46)).await;
    small.acked(6).await;
    assert_eq!(server.log.records().await, 1, "one record for all of it");
    assert!(server.log.seqs("c").await.into_iter().eq(1..46));
    // What waits when the server is to end is made durable at once.
    small.batch(batch(46..47)).await;
    let log = std::sync::Arc::clone(&server.log);
    server.drained().await;
    assert!(log.seqs("c").await.into_iter().eq(1..47));
}
