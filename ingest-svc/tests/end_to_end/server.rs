//! A server to talk to, and a client that says what it sees.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use catalog::{Catalog, DataStream, Item, Key, Merchant, Platform as Sender, Snapshot};
use clock::Clock;
use host::{Feed, Host, Platform};
use ingest_svc::{Ingest, Settings};
use model::{Currency, DataStreamId, MerchantId, Role, Timestamp};
use proto::v1::client_frame::Frame as ToServer;
use proto::v1::ingest_service_client::IngestServiceClient;
use proto::v1::server_frame::Frame as ToClient;
use proto::v1::{Ack, Batch, Batches, ClientFrame, Hit, Refused, ServerFrame, Setup};
use store::embedded::EmbeddedStore;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::log::TappedLog;

/// The server's clock: 2015-05-17T10:00:00Z.
pub(crate) const NOW: i64 = 1_431_856_800_000;
pub(crate) const WRITE: &str = "the write key";
pub(crate) const ADMIN: &str = "the admin key";
/// A write key of a merchant with a quota.
pub(crate) const SMALL: &str = "the small merchant's key";
/// Hits per second of that merchant, and its streams.
pub(crate) const QUOTA: u64 = 10;
pub(crate) const STREAMS: u32 = 2;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) log: Arc<TappedLog>,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Clock,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    _data: TempDir,
}

/// Nothing in these tests takes long; what hangs is cut here.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it hangs")
}

impl Server {
    pub(crate) async fn start(settings: Settings) -> Self {
        let data = tempfile::tempdir().unwrap();
        let log = TappedLog::open(&data.path().join("log"));
        let catalog = Catalog::new(Snapshot::default());
        catalog.apply(&configuration(), 1);
        let clock = Clock::manual(Timestamp(NOW), 1);
        let platform = Platform {
            log: log.clone(),
            store: Arc::new(EmbeddedStore::open(&data.path().join("store"), Default::default()).unwrap()),
            clock: clock.clone(),
            catalog: catalog.clone(),
            feed: Feed::in_memory(1),
            instance_id: "test".into(),
            shared: false,
            drain: Default::default(),
            tasks: Default::default(),
        };
        let host = Host::new(platform, Default::default()).with::<Ingest>(settings).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let signal = async { drop(stopped.await) };
            host.serve(listener, signal).await.unwrap();
        });
        Self { address, log, catalog, clock, stop: Some(stop), serving, _data: data }
    }

    /// Begins the drain.
    pub(crate) fn drain(&mut self) {
        self.stop = None;
    }

    /// Waits until the drain is over.
    pub(crate) async fn drained(mut self) {
        self.drain();
        within(self.serving).await.unwrap();
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    /// A stream on its own connection that is open and has credit.
    pub(crate) async fn client(&self, setup: Setup) -> Client {
        let mut client = Client::connect(self.channel().await).await;
        client.send(ToServer::Setup(setup)).await;
        client.opened().await;
        client
    }

    pub(crate) fn revoke(&self, id: &str) {
        let key = self.catalog.snapshot().key(id).unwrap().clone();
        let revoked = Key { revoked_at: Some(Timestamp(NOW)), ..(*key).clone() };
        self.catalog.apply(&[Item::Key(Arc::new(revoked))], 2);
    }
}

pub(crate) struct Client {
    to: mpsc::Sender<ClientFrame>,
    from: Streaming<ServerFrame>,
    /// Frames acknowledged.
    pub(crate) acked: u64,
    /// Credit received, in all.
    pub(crate) credit: u64,
    pub(crate) refused: Vec<Refused>,
}

impl Client {
    /// A stream on which nothing was sent yet.
    pub(crate) async fn connect(channel: Channel) -> Self {
        let (to, frames) = mpsc::channel(1_000);
        let mut service = IngestServiceClient::new(channel);
        let answer = service.stream(ReceiverStream::new(frames));
        let from = within(answer).await.unwrap().into_inner();
        Self { to, from, acked: 0, credit: 0, refused: Vec::new() }
    }

    pub(crate) async fn send(&self, frame: ToServer) {
        // Who was cut off already will hear why.
        let _ = within(self.to.send(ClientFrame { frame: Some(frame) })).await;
    }

    pub(crate) async fn batch(&self, batch: Batch) {
        self.send(ToServer::Batch(batch)).await;
    }

    pub(crate) async fn batches(&self, batches: Vec<Batch>) {
        self.send(ToServer::Batches(Batches { batches })).await;
    }

    /// The next frame, `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<ToClient>, Status> {
        let frame = within(self.from.message()).await?.map(|frame| frame.frame.unwrap());
        match &frame {
            Some(ToClient::Ack(Ack { frames, refused })) => {
                assert!(*frames > self.acked, "acks rise");
                self.acked = *frames;
                self.refused.extend(refused.iter().cloned());
            }
            Some(ToClient::Credit(credit)) => self.credit += credit.hits,
            Some(ToClient::Ready(_) | ToClient::GoAway(_)) | None => {}
        }
        Ok(frame)
    }

    pub(crate) async fn opened(&mut self) {
        assert!(matches!(self.next().await, Ok(Some(ToClient::Ready(_)))));
        while self.credit == 0 {
            self.next().await.unwrap();
        }
    }

    /// Waits until this many frames are acknowledged.
    pub(crate) async fn acked(&mut self, frames: u64) {
        while self.acked < frames {
            assert!(self.next().await.unwrap().is_some(), "the stream ended after {} acks", self.acked);
        }
    }

    /// Says that no more will come, and waits for the end.
    pub(crate) async fn finish(mut self) -> Result<Self, Status> {
        self.to = mpsc::channel(1).0;
        while self.next().await?.is_some() {}
        Ok(self)
    }

    /// How the server ends the stream.
    pub(crate) async fn ended(&mut self) -> Result<(), Status> {
        while self.next().await?.is_some() {}
        Ok(())
    }
}

pub(crate) fn setup(client_id: &str) -> Setup {
    Setup { key: WRITE.to_owned(), client_id: client_id.to_owned(), ..Setup::default() }
}

/// Good hits with these seqs.
pub(crate) fn batch(seqs: std::ops::Range<u64>) -> Batch {
    let hit = Hit { name: "page_view".to_owned(), time_ms: NOW, ..Hit::default() };
    Batch { first_seq: seqs.start, hits: seqs.map(|_| hit.clone()).collect(), ..Batch::default() }
}

fn configuration() -> Vec<Item> {
    let merchant = |id, hits_per_second, streams, spread| {
        Item::Merchant(Arc::new(Merchant {
            id: MerchantId(id),
            name: "a merchant".into(),
            time_zone: "UTC".into(),
            currency: Currency::NONE,
            hits_per_second,
            streams,
            spread,
            version: 1,
            created_at: Timestamp(0),
        }))
    };
    let stream = |id, merchant| {
        let (id, merchant) = (DataStreamId(id), MerchantId(merchant));
        Item::DataStream(Arc::new(DataStream { id, merchant, name: "web".into(), platform: Sender::Web }))
    };
    let key = |text: &str, role, merchant: Option<u64>, stream: Option<u32>| {
        Item::Key(Arc::new(Key {
            id: text.into(),
            role,
            merchant: merchant.map(MerchantId),
            data_stream: stream.map(DataStreamId),
            hash: catalog::hash(text),
            created_at: Timestamp(0),
            revoked_at: None,
        }))
    };
    vec![
        merchant(1, 0, 0, crate::log::PARTITIONS),
        merchant(2, QUOTA, STREAMS, 1),
        stream(1, 1),
        stream(2, 2),
        key(WRITE, Role::Write, Some(1), Some(1)),
        key(SMALL, Role::Write, Some(2), Some(2)),
        key(ADMIN, Role::Admin, None, None),
    ]
}
