use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::collect;
use super::commit::commit;
use super::connection::Connection;
use super::prefix::Prefix;
use super::settings::Settings;
use super::view::View;
use super::wish::{self, Wish};
use crate::{Batch, Error, Result, Snapshot, Store};

/// A store in a TiKV cluster, which other processes use at the same time.
///
/// * Every commit is durable when it returns: a majority of the replicas has it on disk.
/// * A batch is best kept to about 1,000 keys. Larger ones are atomic as well, but each of the requests that it is cut into
///   carries all of its keys.
/// * A commit whose answer is lost is settled (undone, unless it is committed) before it returns.
///   [`Error::Unknown`](crate::Error::Unknown) therefore means that for twice the set time no store could be reached.
/// * A snapshot can be read for as long as old values are kept ([`Settings::keep_versions_s`]); later its reads fail.
/// * A scan asks every region that its range touches for every page: ranges are best those of one merchant.
#[derive(Clone)]
pub struct TikvStore {
    inner: Arc<Inner>,
}

/// In place of an installation's name; none can have a dot in it.
const COMMON: &str = ".hitmill-gc";

/// What all uses of the store share.
pub(super) struct Inner {
    pub(super) connection: Arc<Connection>,
    pub(super) prefix: Prefix,
    pub(super) timeout: Duration,
    pub(super) keep: Duration,
    /// If garbage is collected.
    pub(super) wish: Option<Wish>,
}

impl Inner {
    /// A store in the same cluster, of all installations.
    pub(super) fn common(&self) -> Arc<Self> {
        Arc::new(Self {
            connection: Arc::clone(&self.connection),
            prefix: Prefix::new(COMMON),
            timeout: self.timeout,
            keep: self.keep,
            wish: None,
        })
    }
}

impl TikvStore {
    /// Connects to the cluster, which must answer.
    pub async fn open(settings: &Settings) -> Result<Self> {
        settings.check()?;
        let mut inner = Inner {
            connection: Arc::new(Connection::open(settings).await?),
            prefix: Prefix::new(&settings.prefix),
            timeout: Duration::from_millis(settings.timeout_ms),
            keep: Duration::from_secs(settings.keep_versions_s),
            wish: None,
        };
        if settings.collect_garbage {
            // Ahead of the first snapshot: it is kept from the beginning.
            inner.wish = Some(Wish::make(&inner.common(), &settings.prefix).await?);
        }
        let inner = Arc::new(inner);
        if settings.collect_garbage {
            // Apart, since collecting may take longer than the wish counts.
            tokio::spawn(wish::renew(Arc::downgrade(&inner)));
            tokio::spawn(collect::run(Arc::downgrade(&inner)));
        }
        Ok(Self { inner })
    }
}

#[async_trait]
impl Store for TikvStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let taken = Instant::now();
        let at = self.inner.connection.timestamp("take a snapshot").await?;
        Ok(Box::new(View { inner: Arc::clone(&self.inner), at, taken }))
    }

    async fn commit(&self, batch: Batch) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        // In a task of its own: a commit that was begun goes on when its caller goes away, and leaves no locks behind.
        let done = tokio::spawn(async move { commit(&inner, &batch).await }).await;
        done.unwrap_or_else(|error| Err(Error::Unknown { what: error.to_string() }))
    }

    async fn sync(&self) -> Result<()> {
        // Every commit was safe when it returned.
        Ok(())
    }
}
