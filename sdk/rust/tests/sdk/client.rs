use std::time::Duration;

use hitmill_sdk::{Client, ClientBuilder, Hit, LinkState, RefusalReason, SendError};
use proto::v1::Refused;
use tonic::Status;

use crate::mock::{Mock, Received};

fn builder(mock: &Mock) -> ClientBuilder {
    Client::builder(&mock.address, "hm_w_key").client_id("c-1")
}

fn names(hits: &[Received]) -> Vec<&str> {
    hits.iter().map(|received| received.hit.name.as_str()).collect()
}

fn seqs(hits: &[Received]) -> Vec<u64> {
    hits.iter().map(|received| received.seq).collect()
}

/// Waits until the client's figures are as wanted; the test's own limit of time is that of the runner.
async fn until(client: &Client, wanted: impl Fn(&hitmill_sdk::Stats) -> bool) {
    while !wanted(&client.stats()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn hits_arrive_as_they_were_fired_and_flush_waits_for_the_ack() {
    let mut mock = Mock::start().await;
    let client = builder(&mock).user_agent("test/1").build().unwrap();
    let mut session = mock.session().await;
    let setup = session.setup().await;
    assert_eq!((setup.key.as_str(), setup.client_id.as_str()), ("hm_w_key", "c-1"));
    assert_eq!(setup.context.unwrap().user_agent, "test/1");

    client.page("https://shop.example/a");
    client.identify("user-1");
    client.track(Hit::new("purchase").value("EUR", 12_340_000).param("coupon", "X"));
    client.reset();
    client.track(Hit::new("after").time_ms(17));
    session.ready();
    session.credit(10);
    let flush = tokio::spawn({
        let client = client.clone();
        async move { client.flush().await }
    });
    let (frames, hits) = session.collect(3).await;
    assert!(!flush.is_finished());
    session.ack(frames);
    assert_eq!(flush.await.unwrap(), Ok(()));

    assert_eq!(names(&hits), ["page_view", "purchase", "after"]);
    assert_eq!(seqs(&hits), [1, 2, 3]);
    assert!(hits.iter().all(|received| received.epoch == setup.epoch));
    let [page, purchase, after] = [0, 1, 2].map(|n| hits[n].hit.clone());
    assert_eq!((page.url.as_str(), page.context), ("https://shop.example/a", None));
    assert_eq!(purchase.value.unwrap().micros, 12_340_000);
    assert_eq!(purchase.context.unwrap().user_id, "user-1");
    let context = after.context.unwrap();
    assert_eq!((after.time_ms, context.user_id.as_str(), context.visitor_id.len()), (17, "", 32));
    let stats = client.stats();
    assert_eq!((stats.tracked, stats.acked, stats.queued, stats.link), (3, 3, 0, LinkState::Open));
    assert!(stats.last_ack_latency.is_some());
}

#[tokio::test]
async fn a_server_that_dies_before_its_ack_gets_the_same_seqs_again() {
    let mut mock = Mock::start().await;
    let client = builder(&mock).build().unwrap();
    let mut first = mock.open(1_000).await;
    (0..10).for_each(|n| client.track(Hit::new(format!("h{n}"))));
    let (_, before) = first.collect(10).await;
    first.ack(1);
    until(&client, |stats| stats.acked > 0).await;
    let acked = client.stats().acked;
    drop(first);
    (10..20).for_each(|n| client.track(Hit::new(format!("h{n}"))));

    let mut second = mock.open(1_000).await;
    let (frames, again) = second.collect(20 - usize::try_from(acked).unwrap()).await;
    second.ack(frames);
    client.flush().await.unwrap();
    // Whatever came twice is the same hit under the same seq, and together they are all there.
    let mut union = before.clone();
    for received in again {
        match before.iter().find(|earlier| earlier.seq == received.seq) {
            Some(earlier) => assert_eq!(*earlier, received),
            None => union.push(received),
        }
    }
    assert_eq!(seqs(&union), (1..=20).collect::<Vec<_>>());
    assert_eq!(names(&union), (0..20).map(|n| format!("h{n}")).collect::<Vec<_>>());
    let stats = client.stats();
    assert_eq!((stats.acked, stats.queued, stats.reconnects, stats.link), (20, 0, 1, LinkState::Open));
}

#[tokio::test]
async fn no_more_hits_are_sent_than_there_is_credit_for() {
    let mut mock = Mock::start().await;
    let client = builder(&mock).build().unwrap();
    let mut session = mock.session().await;
    (0..10).for_each(|n| client.track(Hit::new(format!("h{n}"))));
    session.setup().await;
    session.ready();
    session.credit(0);
    session.credit(3);
    assert_eq!(seqs(&session.hits().await), [1, 2, 3]);
    session.credit(0);
    session.credit(2);
    assert_eq!(seqs(&session.hits().await), [4, 5]);
    assert_eq!(client.stats().sent, 5);
    session.credit(100);
    assert_eq!(seqs(&session.collect(5).await.1), [6, 7, 8, 9, 10]);
}

#[tokio::test]
async fn go_away_ends_the_stream_after_its_acks_and_the_rest_goes_over_the_next() {
    let mut mock = Mock::start().await;
    let client = builder(&mock).build().unwrap();
    let mut first = mock.open(10).await;
    client.page("https://shop.example/1");
    let (frames, _) = first.collect(1).await;
    first.go_away(0);
    until(&client, |stats| stats.link == LinkState::Draining).await;
    client.page("https://shop.example/2");
    first.ack(frames);
    assert_eq!(first.hits().await, [], "nothing is sent any more");

    let mut second = mock.open(10).await;
    let (_, hits) = second.collect(1).await;
    assert_eq!((seqs(&hits), hits[0].hit.url.as_str()), (vec![2], "https://shop.example/2"));
    assert_eq!(client.stats().last_error, None);
}

#[tokio::test]
async fn a_revoked_key_is_final_and_says_so() {
    let mut mock = Mock::start().await;
    let client = builder(&mock).build().unwrap();
    client.page("https://shop.example/");
    mock.session().await.fail(Status::unauthenticated("the key was revoked"));
    let Err(SendError::Refused(reason)) = client.flush().await else { panic!("the flush did not fail") };
    assert!(reason.contains("the key was revoked"), "{reason}");
    let stats = client.stats();
    assert_eq!((stats.link, stats.queued, stats.last_error), (LinkState::Refused, 1, Some(reason)));
}

#[tokio::test]
async fn refused_hits_are_counted_by_reason_and_the_others_are_taken() {
    let mut mock = Mock::start().await;
    let client = builder(&mock).build().unwrap();
    let mut session = mock.open(10).await;
    client.track(Hit::new("good"));
    client.track(Hit::new("not good"));
    client.track(Hit::new("huge").url("x".repeat(40_000)));
    let (frames, hits) = session.collect(2).await;
    assert_eq!(names(&hits), ["good", "not good"]);
    let reason = RefusalReason::BadName.into();
    let refused = Refused { seq: 2, reason, message: "why".into(), hits: 1, ..Refused::default() };
    session.refuse(frames, vec![refused]);
    client.flush().await.unwrap();
    let stats = client.stats();
    assert_eq!((stats.tracked, stats.acked, stats.refused.total()), (3, 1, 2));
    assert_eq!(stats.refused.of(RefusalReason::BadName), 1);
    assert_eq!(stats.refused.of(RefusalReason::TooLarge), 1);
    assert_eq!(stats.last_refusal.as_deref(), Some("why"));
}

#[tokio::test]
async fn an_overflow_is_counted_and_the_server_learns_which_seqs_never_come() {
    let mut mock = Mock::start().await;
    let client = builder(&mock).queue_bytes(64 << 10).build().unwrap();
    let session = &mut mock.session().await;
    (0..100).for_each(|n| client.track(Hit::new(format!("h{n}")).title("t".repeat(2_000))));
    let dropped = client.stats().dropped;
    assert!(dropped > 50, "{dropped}");
    session.setup().await;
    session.ready();
    session.credit(1_000);
    let kept = usize::try_from(100 - dropped).unwrap();
    let (_, hits) = session.collect(kept).await;
    assert_eq!(u64::from(hits[0].hit.skipped), dropped);
    assert_eq!(seqs(&hits), (dropped + 1..=100).collect::<Vec<_>>());
    assert_eq!(hits[0].hit.name, format!("h{dropped}"));
}

#[tokio::test]
async fn opting_out_wipes_the_queue_and_ignores_hits_until_opting_in() {
    let mut mock = Mock::start().await;
    let client = builder(&mock).build().unwrap();
    let mut session = mock.session().await;
    client.track(Hit::new("before"));
    client.opt_out();
    client.track(Hit::new("during"));
    client.opt_in();
    client.track(Hit::new("after"));
    session.setup().await;
    session.ready();
    session.credit(10);
    assert_eq!(names(&session.collect(1).await.1), ["after"]);
    assert_eq!((client.stats().tracked, client.stats().wiped), (2, 1));
}

#[tokio::test]
async fn a_flush_without_a_server_ends_in_time_and_keeps_the_hits() {
    let timeout = Duration::from_millis(50);
    let client = Client::builder("http://127.0.0.1:1", "k").flush_timeout(timeout).build().unwrap();
    client.page("https://shop.example/");
    assert_eq!(client.flush().await, Err(SendError::Timeout { waited: timeout }));
    assert_eq!(client.stats().queued, 1);
    assert!(client.stats().last_error.is_some());
    assert_eq!(client.shutdown().await, Err(SendError::Timeout { waited: timeout }));
    assert_eq!(client.flush().await, Err(SendError::Closed));
}

#[test]
fn a_flush_does_not_outlive_the_run_time_of_its_client() {
    let process = tokio::runtime::Runtime::new().unwrap();
    let client = process.block_on(async {
        Client::builder("http://127.0.0.1:1", "k").flush_timeout(Duration::MAX).build().unwrap()
    });
    client.page("https://shop.example/");
    let other = tokio::runtime::Runtime::new().unwrap();
    let flush = other.spawn({
        let client = client.clone();
        async move { client.flush().await }
    });
    drop(process);
    assert_eq!(other.block_on(flush).unwrap(), Err(SendError::Closed));
}

#[test]
fn a_program_without_a_run_time_gets_its_own_thread() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut mock = runtime.block_on(Mock::start());
    let client = builder(&mock).build().unwrap();
    client.page("https://shop.example/");
    runtime.block_on(async {
        let mut session = mock.open(10).await;
        let (frames, hits) = session.collect(1).await;
        session.ack(frames);
        assert_eq!(seqs(&hits), [1]);
        client.shutdown().await.unwrap();
    });
}
