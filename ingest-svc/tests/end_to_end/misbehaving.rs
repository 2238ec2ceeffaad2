//! What each misbehaving client gets, and that the honest one beside it loses nothing.

use std::time::Duration;

use ingest_svc::Settings;
use proto::v1::client_frame::Frame as ToServer;
use proto::v1::{Hit, ServerFrame, Setup};
use proto::wire::RawClientFrame;
use store::{Batch, Snapshot, Store};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;

use crate::server::{Client, SMALL, STREAMS, Server, WRITE, batch, setup, within};

/// How the server ends a stream on which these frames are sent.
async fn end_after(channel: &Channel, frames: impl IntoIterator<Item = ToServer>) -> Status {
    let mut client = Client::connect(channel.clone()).await;
    for frame in frames {
        client.send(frame).await;
    }
    client.ended().await.unwrap_err()
}

/// The same with frames that are not what the contract says.
async fn end_after_bytes(channel: &Channel, frames: Vec<Vec<u8>>) -> Status {
    let (to, stream) = tokio::sync::mpsc::channel(frames.len());
    for frame in frames {
        to.send(RawClientFrame(frame.into())).await.unwrap();
    }
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let codec = ProstCodec::<RawClientFrame, ServerFrame>::default();
    let path = "/hitmill.v1.IngestService/Stream".parse().unwrap();
    let call = client.streaming(tonic::Request::new(ReceiverStream::new(stream)), path, codec);
    let mut answer = within(call).await.unwrap().into_inner();
    loop {
        match within(answer.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ended well"),
            Err(status) => return status,
        }
    }
}

/// Bytes that are nothing, the same at each run.
fn rubbish(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 | 0x80).collect()
}

fn encoded_setup() -> Vec<u8> {
    use prost::Message;
    proto::v1::ClientFrame { frame: Some(ToServer::Setup(setup("rubbish"))) }.encode_to_vec()
}

#[tokio::test]
async fn rubbish_ends_its_stream_and_no_other_on_the_connection() {
    let server = Server::start(Default::default()).await;
    let channel = server.channel().await;
    let mut honest = Client::connect(channel.clone()).await;
    honest.send(ToServer::Setup(setup("honest"))).await;
    honest.opened().await;
    let mut expect = async |frames: Vec<Vec<u8>>, message: &str| {
        let status = end_after_bytes(&channel, frames).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(message), "{}", status.message());
        let next = honest.acked + 1;
        honest.batch(batch(next..next + 1)).await;
        honest.acked(next).await;
    };
    expect(vec![encoded_setup(), rubbish(4 << 20)], "frames have at most 1048576 bytes").await;
    expect(vec![encoded_setup(), rubbish(1 << 20)], "not a protobuf message").await;
    expect(vec![rubbish(100)], "not a protobuf message").await;
    expect(vec![rubbish(4 << 20)], "frames have at most 1048576 bytes").await;
    assert_eq!(server.log.seqs("honest").await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_stream_must_begin_with_one_setup() {
    let settings = Settings { setup_timeout_ms: 50, ..Settings::default() };
    let server = Server::start(settings).await;
    let channel = server.channel().await;
    let status = end_after(&channel, [ToServer::Batch(batch(1..2))]).await;
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "the first frame must be a setup"));
    let status = end_after(&channel, [(); 2].map(|()| ToServer::Setup(setup("c")))).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    let status = end_after(&channel, []).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), "no setup came within 50 ms of opening the stream");
    let unknown = Setup { key: "no key".to_owned(), ..setup("c") };
    assert_eq!(end_after(&channel, [ToServer::Setup(unknown)]).await.code(), Code::Unauthenticated);
    assert!(server.log.batches().await.is_empty());
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams_the_idle_ones_too() {
    let server = Server::start(Default::default()).await;
    let mut idle = server.client(setup("idle")).await;
    let mut busy = server.client(setup("busy")).await;
    let mut other = server.client(Setup { key: SMALL.to_owned(), ..setup("other") }).await;
    busy.batch(batch(1..11)).await;
    busy.acked(1).await;
    server.revoke(WRITE);
    for client in [&mut idle, &mut busy] {
        let status = client.ended().await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(status.message(), "key the write key was revoked at 2015-05-17T10:00:00Z");
    }
    other.batch(batch(1..2)).await;
    other.acked(1).await;
    assert_eq!(server.log.seqs("busy").await.len(), 10);
}

#[tokio::test]
async fn a_client_has_few_streams_and_a_merchant_those_of_its_quota() {
    let server = Server::start(Default::default()).await;
    let channel = server.channel().await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(server.client(setup("greedy")).await);
    }
    let status = end_after(&channel, [ToServer::Setup(setup("greedy"))]).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "too many streams: a client may have 4 open at a time");

    let small = |client: &str| Setup { key: SMALL.to_owned(), ..setup(client) };
    for n in 0..STREAMS {
        open.push(server.client(small(&n.to_string())).await);
    }
    let status = end_after(&channel, [ToServer::Setup(small("one more"))]).await;
    assert_eq!(status.message(), "too many streams: merchant 2 may have 2 open at a time");

    let mut honest = server.client(setup("honest")).await;
    honest.batch(batch(1..2)).await;
    honest.acked(1).await;
    // A place comes back when its stream ends.
    open.truncate(3);
    open_again(&server, setup("greedy")).await;
}

#[tokio::test]
async fn beyond_its_credit_a_client_is_cut_off() {
    let server = Server::start(Settings { credit_hits: 5_000, ..Settings::default() }).await;
    server.log.close(true);
    let mut client = server.client(setup("c")).await;
    let mut honest = server.client(setup("honest")).await;
    honest.batch(batch(1..11)).await;
    for first in [1, 2_501, 5_001] {
        client.batch(batch(first..first + 2_500)).await;
    }
    let status = client.ended().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let message = "2500 hits were sent with a credit of 0: wait for credit before sending more";
    assert_eq!(status.message(), message);
    server.log.close(false);
    honest.acked(1).await;
    assert_eq!(server.log.seqs("honest").await.len(), 10);
}

#[tokio::test]
async fn a_client_that_never_reads_its_acks_loses_its_stream() {
    let settings = Settings { ack_timeout_ms: 100, max_streams_per_client: 1, ..Settings::default() };
    let server = Server::start(settings).await;
    // It has room for Ready and the first credit and for little more.
    let endpoint = server.endpoint().initial_stream_window_size(256);
    let mut deaf = Client::connect(endpoint.connect().await.unwrap()).await;
    deaf.send(ToServer::Setup(setup("deaf"))).await;
    deaf.opened().await;
    let status = end_after(&server.channel().await, [ToServer::Setup(setup("deaf"))]).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "its place is taken");
    let mut honest = server.client(setup("honest")).await;
    honest.batch(batch(1..11)).await;
    honest.acked(1).await;
    // It goes on sending, with a bad hit in each batch, so that there is something to say.
    let sending = async {
        for seq in 1.. {
            let mut batch = batch(seq..seq + 1);
            batch.hits.push(Hit::default());
            deaf.batch(batch).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Its place is free again, though it has not hung up.
    tokio::select! {
        () = sending => {}
        () = open_again(&server, setup("deaf")) => {}
    }
    assert_eq!(server.log.seqs("honest").await.len(), 10);
}

/// Opens a stream as soon as there is a place for it.
async fn open_again(server: &Server, setup: Setup) {
    let channel = server.channel().await;
    within(async {
        loop {
            let mut client = Client::connect(channel.clone()).await;
            client.send(ToServer::Setup(setup.clone())).await;
            if client.next().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// A store that does not answer.
struct Away;

#[async_trait::async_trait]
impl Store for Away {
    async fn snapshot(&self) -> store::Result<Box<dyn Snapshot>> {
        Err(store::Error::Unavailable { doing: "open a snapshot", what: "it is away".to_owned() })
    }

    async fn commit(&self, _: Batch) -> store::Result<()> {
        Err(store::Error::Unavailable { doing: "commit", what: "it is away".to_owned() })
    }

    async fn sync(&self) -> store::Result<()> {
        Ok(())
    }
}

/// The key may have been made elsewhere a moment ago: to refuse it for good would end its sender.
#[tokio::test]
async fn while_nobody_can_say_whether_a_key_exists_it_is_not_refused_for_good() {
    let server = Server::start(Default::default()).await;
    server.catalog.share(std::sync::Arc::new(Away));
    let unknown = Setup { key: "hm_w_new_secret".to_owned(), ..setup("c") };
    let status = end_after(&server.channel().await, [ToServer::Setup(unknown)]).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("try again"), "{status:?}");
    server.client(setup("known")).await;
}
