//! A server that says only what the test tells it to say.

use std::pin::Pin;

use proto::v1::client_frame::Frame as ClientSays;
use proto::v1::ingest_service_server::{IngestService, IngestServiceServer};
use proto::v1::server_frame::Frame;
use proto::v1::{
    Ack, Batch, ClientFrame, Credit, FlushHint, GoAway, Hit, Ready, Refused, SendRequest, SendResponse,
    ServerFrame, Setup,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming, async_trait};

/// The server. Each stream that is opened comes out of [`session`](Mock::session).
pub(crate) struct Mock {
    /// Where it listens.
    pub(crate) address: String,
    sessions: mpsc::UnboundedReceiver<Session>,
}

impl Mock {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (opened, sessions) = mpsc::unbounded_channel();
        let server =
            tonic::transport::Server::builder().add_service(IngestServiceServer::new(Opened(opened)));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, sessions }
    }

    /// The next stream that a client opens.
    pub(crate) async fn session(&mut self) -> Session {
        self.sessions.recv().await.unwrap()
    }

    /// The next stream, with Ready and this much credit given.
    pub(crate) async fn open(&mut self, credit: u64) -> Session {
        let mut session = self.session().await;
        session.setup().await;
        session.ready();
        session.credit(credit);
        session
    }
}

/// One stream. Dropping it ends it.
pub(crate) struct Session {
    frames: Streaming<ClientFrame>,
    answers: mpsc::UnboundedSender<Result<ServerFrame, Status>>,
}

/// A hit as the server reads it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Received {
    /// Its client; empty is the one of the setup.
    pub(crate) client: String,
    /// Its epoch.
    pub(crate) epoch: u64,
    /// Its seq.
    pub(crate) seq: u64,
    /// Itself.
    pub(crate) hit: Hit,
}

impl Session {
    /// The first frame.
    pub(crate) async fn setup(&mut self) -> Setup {
        match self.frames.next().await.unwrap().unwrap().frame.unwrap() {
            ClientSays::Setup(setup) => setup,
            other => panic!("the first frame is {other:?}"),
        }
    }

    /// The batches of the next frame; `None` if the client left.
    pub(crate) async fn batches(&mut self) -> Option<Vec<Batch>> {
        match self.frames.next().await?.ok()?.frame.unwrap() {
            ClientSays::Setup(_) => panic!("a second setup"),
            ClientSays::Batch(batch) => Some(vec![batch]),
            ClientSays::Batches(batches) => Some(batches.batches),
        }
    }

    /// The hits of the next frame; none if the client left.
    pub(crate) async fn hits(&mut self) -> Vec<Received> {
        self.batches().await.unwrap_or_default().into_iter().flat_map(read).collect()
    }

    /// Frames until `count` hits came: how many frames, and the hits.
    pub(crate) async fn collect(&mut self, count: usize) -> (u64, Vec<Received>) {
        let (mut frames, mut received) = (0, Vec::new());
        while received.len() < count {
            let hits = self.hits().await;
            assert!(!hits.is_empty(), "the client left after {} hits of {count}", received.len());
            received.extend(hits);
            frames += 1;
        }
        (frames, received)
    }

    /// Says Ready, and that nothing should wait for company.
    pub(crate) fn ready(&self) {
        let flush_hint = Some(FlushHint { hits: 100, max_delay_ms: 1 });
        self.say(Frame::Ready(Ready { flush_hint, ..Ready::default() }));
    }

    /// Gives credit.
    pub(crate) fn credit(&self, hits: u64) {
        self.say(Frame::Credit(Credit { hits }));
    }

    /// Acknowledges the first so many frames.
    pub(crate) fn ack(&self, frames: u64) {
        self.refuse(frames, vec![]);
    }

    /// Acknowledges frames, but for some hits.
    pub(crate) fn refuse(&self, frames: u64, refused: Vec<Refused>) {
        self.say(Frame::Ack(Ack { frames, refused }));
    }

    /// Asks the client to go.
    pub(crate) fn go_away(&self, reconnect_after_ms: u32) {
        self.say(Frame::GoAway(GoAway { message: "restarting".into(), reconnect_after_ms }));
    }

    /// Ends the stream with an error.
    pub(crate) fn fail(self, status: Status) {
        let _ = self.answers.send(Err(status));
    }

    fn say(&self, frame: Frame) {
        let _ = self.answers.send(Ok(ServerFrame { frame: Some(frame) }));
    }
}

fn read(batch: Batch) -> Vec<Received> {
    let mut seq = batch.first_seq;
    let number = |hit: Hit| {
        let (client, epoch) = (batch.client_id.clone(), batch.epoch);
        seq += u64::from(hit.skipped) + 1;
        Received { client, epoch, seq: seq - 1, hit }
    };
    batch.hits.into_iter().map(number).collect()
}

struct Opened(mpsc::UnboundedSender<Session>);

#[async_trait]
impl IngestService for Opened {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<ServerFrame, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<ClientFrame>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let (answers, said) = mpsc::unbounded_channel();
        let _ = self.0.send(Session { frames: request.into_inner(), answers });
        Ok(Response::new(Box::pin(UnboundedReceiverStream::new(said))))
    }

    async fn send(&self, _: Request<SendRequest>) -> Result<Response<SendResponse>, Status> {
        Err(Status::unimplemented("the SDK does not use it"))
    }
}
