use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use bytes::Bytes;
use proto::v1::{ServerFrame, Setup, server_frame};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Streaming};

use super::codec::{FrameCodec, Outbound};
use crate::lab::Account;

const STREAM: &str = "/hitmill.v1.IngestService/Stream";
/// Frames between a stream and its connection.
const AHEAD: usize = 2;

/// Hits to be sent.
pub(super) struct Order {
    /// How many.
    pub(super) hits: u32,
    /// An encoded message `Batches`.
    pub(super) batches: Bytes,
    /// Since when they should be on their way.
    pub(super) due: Instant,
}

/// What a stream was told.
pub(super) enum Told {
    /// A frame is durable.
    Settled { hits: u32, due: Instant, acked: Instant },
    /// The stream broke, or a hit was refused: no figure would be right.
    Failed(String),
}

/// A frame on its way.
type Flying = (u32, Instant);

/// Opens a stream. It ends when the sender of its orders is dropped.
pub(super) async fn open(
    channel: Channel,
    account: &Account,
    told: mpsc::UnboundedSender<Told>,
) -> anyhow::Result<mpsc::UnboundedSender<Order>> {
    let (frames, sent) = mpsc::channel(AHEAD);
    let setup = Setup { key: account.write_key.clone(), ..Setup::default() };
    // Before the answer is awaited: a server may say nothing until it has seen Setup.
    frames.try_send(Outbound::Setup(Box::new(setup))).ok().context("no room for the setup")?;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await?;
    let request = Request::new(ReceiverStream::new(sent));
    let answer = grpc.streaming(request, PathAndQuery::from_static(STREAM), FrameCodec).await?;

    let credit = Arc::new(Semaphore::new(0));
    let (flying, landed) = mpsc::unbounded_channel();
    let (orders, ordered) = mpsc::unbounded_channel();
    tokio::spawn(pump(ordered, Arc::clone(&credit), flying, frames));
    let merchant = account.merchant;
    tokio::spawn(async move {
        if let Err(error) = listen(answer.into_inner(), &credit, landed, &told).await {
            // Nobody listens any more when another stream has failed before.
            let _ = told.send(Told::Failed(format!("the stream of merchant {merchant} failed: {error:#}")));
        }
    });
    Ok(orders)
}

/// Sends what is ordered as far as the server's credit goes.
async fn pump(
    mut ordered: mpsc::UnboundedReceiver<Order>,
    credit: Arc<Semaphore>,
    flying: mpsc::UnboundedSender<Flying>,
    frames: mpsc::Sender<Outbound>,
) {
    while let Some(Order { hits, batches, due }) = ordered.recv().await {
        let Ok(granted) = credit.acquire_many(hits).await else { return };
        granted.forget();
        // What cannot be sent is missed by the listener, which knows why.
        if flying.send((hits, due)).is_err() || frames.send(Outbound::Batches(batches)).await.is_err() {
            return;
        }
    }
}

/// Hears credit and acknowledgements until the server has nothing more to say.
async fn listen(
    mut answer: Streaming<ServerFrame>,
    credit: &Semaphore,
    mut landed: mpsc::UnboundedReceiver<Flying>,
    told: &mpsc::UnboundedSender<Told>,
) -> anyhow::Result<()> {
    let mut settled = 0;
    while let Some(frame) = answer.message().await? {
        match frame.frame {
            Some(server_frame::Frame::Credit(more)) => {
                credit.add_permits(usize::try_from(more.hits)?.min(Semaphore::MAX_PERMITS >> 8));
            }
            Some(server_frame::Frame::Ack(ack)) => {
                if let Some(refused) = ack.refused.first() {
                    bail!("a hit was refused: {}", refused.message);
                }
                let acked = Instant::now();
                for _ in settled..ack.frames {
                    let (hits, due) =
                        landed.recv().await.context("an ack is for a frame that was not sent")?;
                    if told.send(Told::Settled { hits, due, acked }).is_err() {
                        return Ok(());
                    }
                }
                settled = ack.frames;
            }
            Some(server_frame::Frame::GoAway(away)) => bail!("the server wants it to end: {}", away.message),
            Some(server_frame::Frame::Ready(_)) | None => {}
        }
    }
    if landed.try_recv().is_ok() {
        bail!("the server closed it with hits under way");
    }
    Ok(())
}
