use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hitmill_sdk::{ClientBatch, Codec, FrameAck, Hit, Refusal, RefusalReason, SendError, Sender};
use prost::Message as _;
use proto::v1::{self, Lane, Refused};
use tonic::Status;

use crate::mock::Mock;

fn batch(client: &str, first_seq: u64, hits: u64) -> ClientBatch {
    let hits =
        (0..hits).map(|n| Hit::new(format!("h{n}")).url("https://shop.example/a").time_ms(5)).collect();
    ClientBatch { client_id: client.into(), epoch: 1, first_seq, context: None, hits }
}

#[tokio::test]
async fn batches_of_many_clients_share_frames_and_acks_and_refusals_are_reported() {
    let mut mock = Mock::start().await;
    let (acks, refusals) = <(Arc<Mutex<Vec<FrameAck>>>, Arc<Mutex<Vec<Refusal>>>)>::default();
    let sender = Sender::builder(&mock.address, "hm_a_key")
        .admin_history(42, 7)
        .max_delay(Duration::from_secs(3_600))
        .on_ack({
            let acks = Arc::clone(&acks);
            move |ack| acks.lock().unwrap().push(ack)
        })
        .on_refused({
            let refusals = Arc::clone(&refusals);
            move |refusal| refusals.lock().unwrap().push(refusal)
        })
        .build()
        .unwrap();
    let mut session = mock.session().await;
    let setup = session.setup().await;
    let (lane, merchant, stream) = (setup.lane(), setup.merchant_id, setup.data_stream_id);
    assert_eq!((lane, merchant, stream, setup.client_id.as_str()), (Lane::History, 42, 7, ""));
    session.ready();
    session.credit(100);
    sender.send(batch("a", 1, 3)).await.unwrap();
    sender.send(batch("b", 9, 2)).await.unwrap();
    let flush = tokio::spawn({
        let sender = sender.clone();
        async move { sender.flush().await }
    });
    let hits = session.hits().await;
    let places: Vec<_> = hits.iter().map(|hit| (hit.client.as_str(), hit.epoch, hit.seq)).collect();
    assert_eq!(places, [("a", 1, 1), ("a", 1, 2), ("a", 1, 3), ("b", 1, 9), ("b", 1, 10)]);
    let refused = Refused {
        client_id: "b".into(),
        epoch: 1,
        seq: 10,
        reason: RefusalReason::BadName.into(),
        message: "why".into(),
        hits: 1,
    };
    session.refuse(1, vec![refused]);
    flush.await.unwrap().unwrap();

    let acks = acks.lock().unwrap().clone();
    assert_eq!(acks.iter().map(|ack| ack.hits).collect::<Vec<_>>(), [5]);
    assert_eq!(acks[0].sent + acks[0].latency(), acks[0].acked);
    let refusal = refusals.lock().unwrap().pop().unwrap();
    assert_eq!((refusal.client_id.as_str(), refusal.seq, refusal.hits), ("b", 10, 1));
    let stats = sender.stats();
    assert_eq!((stats.tracked, stats.acked, stats.refused.total(), stats.queued_bytes), (5, 4, 1, 0));
}

#[tokio::test]
async fn what_was_not_acknowledged_is_sent_again_with_a_new_time_and_before_the_rest() {
    let mut mock = Mock::start().await;
    let sender = Sender::builder(&mock.address, "k").build().unwrap();
    let mut first = mock.open(4).await;
    let encoded = v1::Batch { client_id: "a".into(), epoch: 1, first_seq: 1, ..v1::Batch::default() };
    let encoded = v1::Batch { hits: vec![v1::Hit { name: "h".into(), ..v1::Hit::default() }], ..encoded };
    sender.send_encoded(Bytes::from(encoded.encode_to_vec()), 1).await.unwrap();
    let before = first.batches().await.unwrap();
    sender.send(batch("b", 1, 4)).await.unwrap();
    drop(first);

    let mut second = mock.open(5).await;
    let mut again = second.batches().await.unwrap();
    if again.len() == 1 {
        again.extend(second.batches().await.unwrap());
    }
    assert!(before[0].sent_at_ms > 0 && again[0].sent_at_ms >= before[0].sent_at_ms);
    assert_eq!(v1::Batch { sent_at_ms: 0, ..again[0].clone() }, encoded);
    assert_eq!((again.len(), again[1].client_id.as_str()), (2, "b"));
}

#[tokio::test]
async fn send_waits_when_the_memory_is_used_up_and_goes_on_after_an_ack() {
    let mut mock = Mock::start().await;
    let sender = Sender::builder(&mock.address, "k").memory_bytes(2 << 20).build().unwrap();
    let mut session = mock.open(0).await;
    let large = |first_seq| ClientBatch {
        hits: (0..20).map(|_| Hit::new("h").title("t".repeat(25 << 10))).collect(),
        ..batch("a", first_seq, 0)
    };
    for n in 0..4 {
        sender.send(large(n * 20 + 1)).await.unwrap();
    }
    let mut fifth = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send(large(81)).await }
    });
    // 2,000 KiB of 2,048 are used.
    tokio::task::yield_now().await;
    assert_eq!((fifth.is_finished(), sender.stats().tracked), (false, 80));
    session.credit(20);
    assert_eq!(session.hits().await.len(), 20);
    assert!(!fifth.is_finished());
    session.ack(1);
    (&mut fifth).await.unwrap().unwrap();
    assert_eq!(sender.stats().tracked, 100);
}

#[tokio::test]
async fn a_refused_key_ends_send_and_flush_with_the_reason() {
    let mut mock = Mock::start().await;
    let sender = Sender::builder(&mock.address, "k").memory_bytes(2 << 20).build().unwrap();
    sender.send(batch("a", 1, 1)).await.unwrap();
    mock.session().await.fail(Status::permission_denied("this key is no admin's"));
    let Err(SendError::Refused(reason)) = sender.flush().await else { panic!("the flush did not fail") };
    assert!(reason.contains("this key is no admin's"), "{reason}");
    assert_eq!(sender.send(batch("a", 2, 1)).await, Err(SendError::Refused(reason)));
}

#[tokio::test]
async fn packed_batches_hold_the_same_hits() {
    let mut mock = Mock::start().await;
    let sender = Sender::builder(&mock.address, "k").compression(Codec::Lz4).build().unwrap();
    let mut session = mock.open(100).await;
    sender.send(batch("a", 1, 100)).await.unwrap();
    let sent = session.batches().await.unwrap().remove(0);
    assert_eq!((sent.codec(), sent.hits.len(), sent.first_seq), (Codec::Lz4, 0, 1));
    let (size, block) = sent.packed.split_first_chunk().unwrap();
    let unpacked = lz4_flex::block::decompress(block, u32::from_le_bytes(*size) as usize).unwrap();
    assert_eq!(v1::Hits::decode(unpacked.as_slice()).unwrap().hits.len(), 100);
}

#[tokio::test]
async fn a_batch_larger_than_any_server_takes_is_refused_at_once() {
    let sender = Sender::builder("http://127.0.0.1:1", "k").build().unwrap();
    let error = sender.send(batch("a", 1, 2_501)).await.unwrap_err();
    assert!(matches!(error, SendError::TooLarge { hits: 2_501, .. }), "{error}");
}
