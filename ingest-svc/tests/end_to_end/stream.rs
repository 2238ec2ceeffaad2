//! What an honest client gets.

use model::{Lane, Refusal, limits};
use proto::v1::client_frame::Frame as ToServer;
use proto::v1::ingest_service_client::IngestServiceClient;
use proto::v1::server_frame::Frame as ToClient;
use proto::v1::{Batch, GoAway, Hit, Lane as WireLane, RefusalReason, SendRequest, Setup};
use tonic::{Code, Request};

use crate::server::{ADMIN, Client, NOW, QUOTA, SMALL, Server, batch, setup, within};

#[tokio::test]
async fn a_stream_begins_with_the_limits_and_credit() {
    let server = Server::start(Default::default()).await;
    let mut client = Client::connect(server.channel().await).await;
    client.send(ToServer::Setup(setup("c"))).await;
    let Ok(Some(ToClient::Ready(ready))) = client.next().await else { panic!("not ready") };
    assert_eq!((ready.server_time_ms, &*ready.instance_id), (NOW, "test"));
    assert_eq!(ready.limits.unwrap().batch_hits as usize, limits::BATCH_HITS);
    client.next().await.unwrap();
    assert_eq!(client.credit, 16_384);
    assert_eq!(client.finish().await.unwrap().acked, 0);
}

#[tokio::test]
async fn what_is_acknowledged_is_in_the_log_as_it_was_sent() {
    let server = Server::start(Default::default()).await;
    let mut client = server.client(setup("c")).await;
    let mut sent = Vec::new();
    let mut seq = 1;
    for n in 0..200 {
        let batch = batch(seq..seq + n % 7);
        seq += n % 7;
        client.batch(batch.clone()).await;
        sent.push(batch);
        if n == 100 {
            client.acked(101).await;
            let found = server.log.batches().await;
            let with_hits = sent.iter().filter(|batch| !batch.hits.is_empty());
            assert!(found.iter().map(|found| &found.batch).eq(with_hits));
        }
    }
    let client = client.finish().await.unwrap();
    assert_eq!((client.acked, client.refused.len()), (200, 0));
    assert!(server.log.seqs("c").await.into_iter().eq(1..seq), "in order, each once");
    let places = server.log.batches().await;
    assert!(places.iter().all(|found| found.partition == places[0].partition));
    server.drained().await;
}

#[tokio::test]
async fn what_is_not_yet_in_the_log_is_not_acknowledged_with_what_is() {
    let server = Server::start(Default::default()).await;
    let mut client = server.client(setup("c")).await;
    server.log.close(true);
    client.batch(batch(1..11)).await;
    while !server.log.is_waited_for() {
        tokio::task::yield_now().await;
    }
    // The first is on its way by itself; this one comes in another record.
    client.batch(batch(11..21)).await;
    server.log.let_through(1);
    client.acked(1).await;
    let more = tokio::time::timeout(std::time::Duration::from_millis(200), client.acked(2)).await;
    assert!(more.is_err(), "the second frame is in no log yet");
    assert_eq!(server.log.seqs("c").await, (1..11).collect::<Vec<_>>());
    server.log.close(false);
    client.acked(2).await;
}

/// Only there it is known what was counted of them.
#[tokio::test]
async fn hits_that_are_sent_again_go_to_the_same_partition() {
    let server = Server::start(Default::default()).await;
    for number in 0..8 {
        for _ in 0..2 {
            let mut client = server.client(setup(&format!("client {number}"))).await;
            client.batch(batch(1..3)).await;
            client.acked(1).await;
            server.clock.advance(1_234);
        }
    }
    let mut partitions = std::collections::BTreeMap::<_, Vec<_>>::new();
    for found in server.log.batches().await {
        partitions.entry(found.client_id).or_default().push(found.partition);
    }
    assert_eq!(partitions.len(), 8);
    assert!(partitions.values().all(|p| p.len() == 2 && p[0] == p[1]), "{partitions:?}");
    let spread: std::collections::BTreeSet<_> = partitions.values().map(|p| p[0]).collect();
    assert!(spread.len() > 1, "the clients of this merchant are spread");
}

#[tokio::test]
async fn one_frame_carries_the_batches_of_many_clients() {
    let server = Server::start(Default::default()).await;
    let mut client = server.client(setup("")).await;
    let of = |i: u64, seqs| Batch { client_id: format!("c{i}"), ..batch(seqs) };
    client.batches((0..100).map(|i| of(i, 1..4)).collect()).await;
    client.batches((0..100).map(|i| of(i, 4..6)).collect()).await;
    client.acked(2).await;
    for i in 0..100 {
        assert_eq!(server.log.seqs(&format!("c{i}")).await, [1, 2, 3, 4, 5]);
    }
    let mut partitions: Vec<_> = server.log.batches().await.iter().map(|found| found.partition).collect();
    partitions.dedup();
    assert_eq!(partitions, [0, 1, 2, 3], "the merchant is spread");
}

#[tokio::test]
async fn credit_comes_back_as_hits_become_durable() {
    let server = Server::start(Default::default()).await;
    let mut client = server.client(setup("c")).await;
    let mut sent = 0;
    for frame in 1..=40 {
        while client.credit < sent + 2_500 {
            client.next().await.unwrap();
        }
        client.batch(batch(sent + 1..sent + 2_501)).await;
        sent += 2_500;
        if frame % 3 == 0 {
            client.acked(frame).await;
        }
    }
    client.acked(40).await;
    assert_eq!(server.log.seqs("c").await.len(), 100_000);
}

#[tokio::test]
async fn one_bad_hit_in_a_hundred_is_refused_alone() {
    let server = Server::start(Default::default()).await;
    let mut client = server.client(setup("c")).await;
    let mut batch = batch(1..101);
    batch.hits[41].name = "no good".to_owned();
    client.batch(batch).await;
    client.acked(1).await;
    let [refused] = &client.refused[..] else { panic!("{:?}", client.refused) };
    assert_eq!((refused.seq, refused.reason(), refused.hits), (42, RefusalReason::BadName, 1));
    assert!(refused.message.contains("\"no good\""), "{}", refused.message);
    assert!(server.log.seqs("c").await.into_iter().eq((1..=100).filter(|seq| *seq != 42)));
}

#[tokio::test]
async fn over_its_quota_a_merchant_is_refused_and_counted() {
    let server = Server::start(Default::default()).await;
    let small = Setup { key: SMALL.to_owned(), ..setup("c") };
    let mut client = server.client(small).await;
    // Ten seconds' worth pass at once, the clock stands still.
    client.batch(batch(1..1 + 10 * QUOTA)).await;
    client.batch(batch(101..131)).await;
    client.batch(batch(131..141)).await;
    client.acked(3).await;
    let refused: Vec<_> = client.refused.iter().map(|r| (r.seq, r.hits, r.reason())).collect();
    let over = RefusalReason::OverQuota;
    assert_eq!(refused, [(101, 30, over), (131, 10, over)]);
    assert_eq!(server.log.seqs("c").await.len(), 100);
    let counted = server.log.refused().await;
    assert!(counted.iter().all(|entry| entry.reason == Refusal::OverQuota));
    assert_eq!(counted.iter().map(|entry| entry.hits).sum::<u64>(), 40);

    // What an operator imports is not under it.
    let lane = WireLane::History.into();
    let import = Setup { key: ADMIN.to_owned(), merchant_id: 2, lane, ..setup("importer") };
    let mut importer = server.client(import).await;
    importer.batch(batch(1..501)).await;
    importer.acked(1).await;
    assert_eq!(importer.refused, []);
    assert_eq!(server.log.seqs("importer").await.len(), 500);
}

#[tokio::test]
async fn history_is_taken_with_an_admin_key_only() {
    let server = Server::start(Default::default()).await;
    let old = |seq| Batch {
        hits: vec![Hit { name: "a".to_owned(), time_ms: 86_400_000, ..Hit::default() }],
        ..batch(seq..seq)
    };
    let history = Setup { lane: WireLane::History.into(), ..setup("c") };
    let admin = Setup { key: ADMIN.to_owned(), merchant_id: 1, ..history.clone() };
    let mut importer = server.client(admin).await;
    importer.batch(old(1)).await;
    importer.acked(1).await;
    assert_eq!(importer.refused, []);
    assert_eq!(server.log.batches().await[0].lane, Lane::History);

    let mut client = server.client(setup("d")).await;
    client.batch(old(1)).await;
    client.acked(1).await;
    assert_eq!(client.refused[0].reason(), RefusalReason::TooOld);

    let mut refused = Client::connect(server.channel().await).await;
    refused.send(ToServer::Setup(history)).await;
    let status = refused.ended().await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().ends_with("LANE_HISTORY needs an admin key"), "{}", status.message());
}

#[tokio::test]
async fn a_draining_server_acknowledges_what_is_under_way() {
    let mut server = Server::start(Default::default()).await;
    let mut client = server.client(setup("c")).await;
    server.log.close(true);
    client.batch(batch(1..11)).await;
    within(async {
        while !server.log.is_waited_for() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.drain();
    let Ok(Some(ToClient::GoAway(GoAway { reconnect_after_ms, .. }))) = client.next().await else {
        panic!("it was not asked to go")
    };
    assert_eq!(reconnect_after_ms, 1_000);
    server.log.close(false);
    client.acked(1).await;
    assert_eq!(client.ended().await.map_err(|status| status.to_string()), Ok(()));
    assert_eq!(server.log.seqs("c").await.len(), 10);
    server.drained().await;
}

#[tokio::test]
async fn an_old_stream_is_asked_to_connect_again() {
    let settings = ingest_svc::Settings { max_stream_age_seconds: 1, ..Default::default() };
    let server = Server::start(settings).await;
    let mut client = server.client(setup("c")).await;
    client.batch(batch(1..2)).await;
    client.acked(1).await;
    assert!(matches!(client.next().await, Ok(Some(ToClient::GoAway(_)))));
    assert!(client.ended().await.is_ok());
}

#[tokio::test]
async fn a_unary_send_is_answered_when_it_is_durable() {
    let server = Server::start(Default::default()).await;
    let mut client = IngestServiceClient::new(server.channel().await);
    let mut bad = batch(11..21);
    bad.hits[3].name = String::new();
    let other = Batch { client_id: "other".to_owned(), ..batch(1..6) };
    let request = SendRequest { setup: Some(setup("c")), batches: vec![batch(1..11), bad, other] };
    let sent = within(client.send(request)).await.unwrap().into_inner();
    assert_eq!((sent.accepted, sent.refused.len(), sent.refused[0].seq), (24, 1, 14));
    assert_eq!(server.log.seqs("c").await.len(), 19);
    assert_eq!(server.log.seqs("other").await.len(), 5);

    let in_metadata = Setup { key: String::new(), ..setup("d") };
    let mut request =
        Request::new(SendRequest { setup: Some(in_metadata.clone()), batches: vec![batch(1..3)] });
    request
        .metadata_mut()
        .insert("authorization", format!("Bearer {}", crate::server::WRITE).parse().unwrap());
    assert_eq!(within(client.send(request)).await.unwrap().into_inner().accepted, 2);

    let keyless = SendRequest { setup: Some(in_metadata), batches: vec![batch(1..3)] };
    assert_eq!(within(client.send(keyless)).await.unwrap_err().code(), Code::Unauthenticated);
}
