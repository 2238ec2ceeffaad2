use std::sync::Arc;
use std::time::Duration;

use ::pulsar::consumer::Consumer;
use ::pulsar::producer::Message;
use ::pulsar::{ConsumerOptions, Producer, ProducerOptions, SubType, TokioExecutor};
use bytes::Bytes;
use futures::StreamExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::Settings;
use super::admin::{Admin, failed};
use super::cursor::Raw;
use super::hints::{Frame, Heads, Queue};
use super::link::{self, Client, io_error, to_its_end, unique};
use super::setup::prepare_namespace;
use crate::Result;

/// Hints among processes: what one publishes, all others that are there hear within milliseconds, over a topic that
/// keeps nothing. They are hints only: some may be missed, and then [`Heard::Missed`] says so, in about a second.
pub struct Broadcast {
    published: Arc<Queue>,
    heard: Arc<Queue>,
    tasks: [JoinHandle<()>; 2],
}

/// What a broadcast brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Another process published this.
    Hint(Bytes),
    /// Others may have published something that will not be heard: whoever relies on it looks for itself. It also comes
    /// when a process is heard for the first time that published something before.
    Missed,
}

/// How often each process says how far it is.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A listener that has not even heard its own process for so long is cut off.
const DEAF: Duration = Duration::from_secs(5);
/// How long after a failure the next try comes.
const PAUSE: Duration = Duration::from_millis(200);

impl Broadcast {
    /// Joins the broadcast of a name, within the settings' namespace. What is published from now on is heard.
    pub async fn open(settings: &Settings, name: &str) -> Result<Self> {
        settings.check()?;
        prepare_namespace(&Admin::new(settings)?, settings).await?;
        let limit = Duration::from_millis(settings.timeout_ms);
        let line = Line {
            client: link::connect(settings).await?,
            topic: format!("non-persistent://{}/{name}", settings.namespace),
            limit,
            id: unique(),
        };
        let broken = |why| failed("join", &line.topic, why);
        let listener = line.listener().await.map_err(broken)?;
        let producer = line.producer().await.map_err(broken)?;
        let (published, heard) = (Arc::<Queue>::default(), Arc::<Queue>::default());
        let line = Arc::new(line);
        let tasks = [
            tokio::spawn(say(Arc::clone(&line), Arc::clone(&published), producer)),
            tokio::spawn(listen(line, Arc::clone(&heard), listener)),
        ];
        Ok(Self { published, heard, tasks })
    }

    /// Publishes a hint. It never waits: when too many are on their way, the oldest are dropped.
    pub fn publish(&self, hint: Bytes) {
        self.published.push(hint);
    }

    /// Waits for the next hint of others. It may be given up at any time, and nothing is lost.
    pub async fn next(&self) -> Heard {
        loop {
            match self.heard.take() {
                Some(Some(hint)) => return Heard::Hint(hint),
                Some(None) => return Heard::Missed,
                None => self.heard.changed().await,
            }
        }
    }
}

impl Drop for Broadcast {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The way to the others.
struct Line {
    client: Client,
    topic: String,
    limit: Duration,
    id: u64,
}

impl Line {
    async fn producer(&self) -> std::io::Result<Producer<TokioExecutor>> {
        let options = ProducerOptions { block_queue_if_full: true, ..ProducerOptions::default() };
        to_its_end(self.limit, self.client.producer().with_topic(&self.topic).with_options(options).build())
            .await
    }

    async fn listener(&self) -> std::io::Result<Consumer<Raw, TokioExecutor>> {
        let builder = self
            .client
            .consumer()
            .with_topic(&self.topic)
            .with_subscription(format!("hitmill-{:016x}", unique()))
            .with_subscription_type(SubType::Exclusive)
            .with_options(ConsumerOptions::default().durable(false));
        to_its_end(self.limit, builder.build()).await
    }
}

/// Sends what is published.
async fn say(line: Arc<Line>, published: Arc<Queue>, producer: Producer<TokioExecutor>) {
    let mut producer = Some(producer);
    loop {
        if published.is_empty() {
            // Whichever comes first, something is to be said.
            let _ = timeout(HEARTBEAT, published.changed()).await;
        }
        let frame = published.frame(line.id);
        let said = async {
            let producer = match &mut producer {
                Some(producer) => producer,
                none => none.insert(line.producer().await?),
            };
            let message = Message { payload: frame.encode(), ..Message::default() };
            // The receipt says nothing: a topic that keeps nothing has taken everything.
            producer.send_non_blocking(message).await.map(drop).map_err(io_error)
        };
        if let Err(why) = said.await {
            // The others find out by the numbers.
            tracing::debug!(topic = line.topic, "hints were not sent: {why}");
            producer = None;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Hears what others publish.
async fn listen(line: Arc<Line>, heard: Arc<Queue>, listener: Consumer<Raw, TokioExecutor>) {
    let mut listener = Some(listener);
    let mut heads = Heads::default();
    // Its own frames come back: that is how it knows that it hears.
    heads.hear(Frame { sender: line.id, first: 0, hints: Vec::new() });
    loop {
        let lost = match &mut listener {
            None => match line.listener().await {
                Ok(new) => {
                    listener = Some(new);
                    continue;
                }
                Err(why) => why.to_string(),
            },
            Some(listener) => hear(&line, &heard, &mut heads, listener).await,
        };
        tracing::debug!(topic = line.topic, "listening is begun again: {lost}");
        listener = None;
        heard.miss();
        tokio::time::sleep(PAUSE).await;
    }
}

/// Hears until that is no longer possible, and says why.
async fn hear(
    line: &Line,
    heard: &Queue,
    heads: &mut Heads,
    listener: &mut Consumer<Raw, TokioExecutor>,
) -> String {
    let mut since = Instant::now();
    loop {
        let message = match timeout(DEAF, listener.next()).await {
            Err(_) => return format!("nothing was heard for {} ms", since.elapsed().as_millis()),
            Ok(None) => return "the client's reader has ended".to_owned(),
            Ok(Some(Err(error))) => return error.to_string(),
            Ok(Some(Ok(message))) => message,
        };
        since = Instant::now();
        let Some(frame) = Frame::decode(message.payload.data.into()) else { continue };
        let own = frame.sender == line.id;
        let (hints, missed) = heads.hear(frame);
        if missed {
            heard.miss();
        }
        hints.into_iter().filter(|_| !own).for_each(|hint| heard.push(hint));
    }
}
