//! Clients that misbehave, and an honest one beside them: each gets its documented answer (docs/protocol.md), and the
//! honest one loses nothing.

use std::time::Duration;

use hitmill_sdk::{Client, Hit};
use proto::v1::client_frame::Frame;
use proto::v1::ingest_service_client::IngestServiceClient;
use proto::v1::server_frame::Frame as Answer;
use proto::v1::{Batch, ClientFrame, RefusalReason, ServerFrame, Setup};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::complete;
use super::server::{Home, Server};

const LONG: Duration = Duration::from_secs(60);

/// A stream as a program would hold it that knows nothing but the .proto files.
struct Raw {
    frames: mpsc::UnboundedSender<ClientFrame>,
    answers: Streaming<ServerFrame>,
    credit: u64,
}

impl Raw {
    async fn open(channel: &Channel, key: &str, client_id: &str) -> Result<Self, Status> {
        let (frames, queue) = mpsc::unbounded_channel();
        let setup = Setup { key: key.into(), client_id: client_id.into(), epoch: 1, ..Setup::default() };
        frames.send(ClientFrame { frame: Some(Frame::Setup(setup)) }).unwrap();
        let mut client = IngestServiceClient::new(channel.clone());
        let answers = client.stream(UnboundedReceiverStream::new(queue)).await?.into_inner();
        let mut raw = Self { frames, answers, credit: 0 };
        while raw.credit == 0 {
            raw.answer().await?;
        }
        Ok(raw)
    }

    async fn answer(&mut self) -> Result<Answer, Status> {
        let next =
            tokio::time::timeout(LONG, self.answers.message()).await.expect("an answer within a minute");
        let answer =
            next?.and_then(|frame| frame.frame).ok_or_else(|| Status::unknown("the stream has ended"))?;
        if let Answer::Credit(credit) = &answer {
            self.credit += credit.hits;
        }
        Ok(answer)
    }

    fn send(&self, first_seq: u64, hits: Vec<proto::v1::Hit>) {
        let batch = Batch { first_seq, hits, ..Batch::default() };
        let _ = self.frames.send(ClientFrame { frame: Some(Frame::Batch(batch)) });
    }

    /// Reads until the stream ends, and gives why.
    async fn end(&mut self) -> Status {
        loop {
            if let Err(status) = self.answer().await {
                return status;
            }
        }
    }
}

fn views(count: usize) -> Vec<proto::v1::Hit> {
    vec![proto::v1::Hit { name: "page_view".into(), ..Default::default() }; count]
}

/// A merchant and an honest client of it that fires all the while.
struct Street {
    server: Server,
    merchant: u64,
    key: String,
    read_key: String,
    channel: Channel,
    honest: Client,
    _home: Home,
}

impl Street {
    async fn open() -> Self {
        let home = Home::new();
        let server = Server::start(&home);
        let made = server.merchant_over(1);
        let key = made.write_key;
        let channel = Channel::from_shared(server.url().to_owned()).unwrap().connect().await.unwrap();
        let honest = Client::builder(server.url(), &key).client_id("honest").build().unwrap();
        Self { server, merchant: made.id, key, read_key: made.read_key, channel, honest, _home: home }
    }

    fn fire(&self, hits: usize) {
        for _ in 0..hits {
            self.honest.track(Hit::new("honest"));
        }
    }

    /// The honest client lost nothing, and the books balance.
    async fn close(self, fired: u64) {
        self.honest.flush().await.unwrap();
        let counted = complete::hits_by_name(&self.server, self.merchant).await;
        assert_eq!(counted.get("honest").copied().unwrap_or(0), fired, "{counted:?}");
        complete::balanced(&self.server, self.merchant).await;
    }
}

#[tokio::test]
async fn one_bad_hit_in_a_hundred_is_refused_alone() {
    let street = Street::open().await;
    street.fire(100);
    let mut raw = Raw::open(&street.channel, &street.key, "careless").await.unwrap();
    let mut hits = views(100);
    hits[41].name = "no such name!".into();
    raw.send(1, hits);
    let ack = loop {
        if let Answer::Ack(ack) = raw.answer().await.unwrap() {
            break ack;
        }
    };
    assert_eq!((ack.frames, ack.refused.len()), (1, 1));
    let refused = &ack.refused[0];
    assert_eq!((refused.seq, refused.reason()), (42, RefusalReason::BadName));
    assert!(
        refused.message.contains("no such name!") && refused.message.contains("letter"),
        "{}",
        refused.message
    );
    let counted = complete::hits_by_name(&street.server, street.merchant).await;
    assert_eq!(counted.get("page_view"), Some(&99));
    street.close(100).await;
}

#[tokio::test]
async fn four_mebibytes_of_rubbish_end_only_the_stream_they_came_on() {
    let street = Street::open().await;
    street.fire(100);
    // More than a message may be: bytes that are no hit, in a hit's name.
    let mut raw = Raw::open(&street.channel, &street.key, "rubbish").await.unwrap();
    let mut rubbish = views(1);
    rubbish[0].name = "\u{1}".repeat(4 << 20);
    raw.send(1, rubbish);
    let status = raw.end().await;
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument),
        "{status:?}"
    );
    street.fire(100);
    street.close(200).await;
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams_within_seconds_and_opens_no_more() {
    let street = Street::open().await;
    street.fire(100);
    let other = street.server.json(["key", "create", "write", "--merchant", &street.merchant.to_string()]);
    let secret = other["key"].as_str().or(other["secret"].as_str()).unwrap().to_owned();
    let mut raw = Raw::open(&street.channel, &secret, "to be revoked").await.unwrap();
    raw.send(1, views(10));
    let key_id = other["key_id"].as_str().or(other["id"].as_str()).unwrap();
    street.server.json(["key", "revoke", key_id]);
    let status = raw.end().await;
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    assert!(status.message().contains("revoked") && !status.message().contains(&secret), "{status:?}");
    let again = Raw::open(&street.channel, &secret, "to be revoked").await.err().unwrap();
    assert_eq!(again.code(), Code::Unauthenticated, "{again:?}");
    street.close(100).await;
}

#[tokio::test]
async fn a_client_that_never_reads_its_acks_harms_nobody() {
    let street = Street::open().await;
    street.fire(100);
    // It has room for hardly any answer, and sends what it was given credit for, each batch with a hit to be told of.
    let endpoint =
        Channel::from_shared(street.server.url().to_owned()).unwrap().initial_stream_window_size(1_024);
    let deaf = Raw::open(&endpoint.connect().await.unwrap(), &street.key, "deaf").await.unwrap();
    let batches = deaf.credit / 10;
    for batch in 0..batches {
        let mut hits = views(10);
        hits[3].name.clear();
        deaf.send(1 + batch * 10, hits);
    }
    street.fire(100);
    street.honest.flush().await.unwrap();
    let mut counted = complete::hits_by_name(&street.server, street.merchant).await;
    while counted.get("page_view") != Some(&(batches * 9)) {
        counted = complete::hits_by_name(&street.server, street.merchant).await;
    }
    street.close(200).await;
}

#[tokio::test]
async fn of_a_thousand_streams_of_one_client_a_few_are_open_and_the_rest_are_told_why() {
    let street = Street::open().await;
    street.fire(100);
    let mut open = Vec::new();
    let mut refused = 0;
    // Over many connections: on one of them HTTP/2's own limit would keep the rest waiting.
    for _ in 0..10 {
        let channel = Channel::from_shared(street.server.url().to_owned()).unwrap().connect().await.unwrap();
        for _ in 0..100 {
            match Raw::open(&channel, &street.key, "greedy").await {
                Ok(raw) => open.push(raw),
                Err(status) => {
                    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((open.len(), refused), (4, 996));
    street.fire(100);
    street.close(200).await;
}

#[tokio::test]
async fn a_read_key_cannot_write_and_a_write_key_cannot_read() {
    let street = Street::open().await;
    let status = Raw::open(&street.channel, &street.read_key, "reader").await.err().unwrap();
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    let merchant = street.merchant.to_string();
    let mut command = street.server.hitmill(["audit", "--merchant", &merchant, "--key", &street.key]);
    let output = command.output().unwrap();
    assert!(!output.status.success());
    street.close(0).await;
}
