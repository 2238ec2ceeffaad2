//! How a stream begins and ends.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::limits;
use proto::v1::{FlushHint, Limits, Ready};
use proto::wire::{FrameRef, RawClientFrame};
use tokio_util::sync::{CancellationToken, PollSemaphore};
use tonic::Streaming;

use super::{Reading, Stream, broken};
use crate::credit::Window;
use crate::door::{Session, recheck};
use crate::error::Error;
use crate::flight::Flight;
use crate::outbox::Outbox;
use crate::shared::Shared;
use crate::slots::Slot;

/// Whom a stream belongs to.
pub(crate) struct Caller {
    /// What the call's metadata say of the key.
    pub(crate) authorization: Option<Bytes>,
    /// The frames.
    pub(crate) frames: Streaming<RawClientFrame>,
    /// Where the answer is taken from.
    pub(crate) outbox: Arc<Outbox>,
    /// Cancelled when the answer is no longer wanted.
    pub(crate) gone: CancellationToken,
}

/// Serves a stream from its first frame to its last.
pub(crate) async fn run(shared: Arc<Shared>, mut caller: Caller) {
    let outbox = Arc::clone(&caller.outbox);
    let end = match greet(&shared, &mut caller).await {
        Ok((session, slot)) => serve(shared, caller, session, slot).await,
        Err(error) => {
            tracing::debug!(%error, "a stream was not opened");
            Err(error)
        }
    };
    outbox.end(end);
}

/// Reads the Setup and lets the client in.
async fn greet(shared: &Arc<Shared>, caller: &mut Caller) -> Result<(Session, Slot), Error> {
    let limit = shared.settings.setup_timeout_ms;
    let first = tokio::select! {
        () = shared.drain.cancelled() => return Err(Error::Draining),
        first = tokio::time::timeout(Duration::from_millis(limit), caller.frames.message()) => first,
    };
    let first = first.map_err(|_| Error::SetupLate(limit))?;
    let first = first.map_err(|status| broken(&status).unwrap_or(Error::NoSetup))?.ok_or(Error::NoSetup)?;
    let FrameRef::Setup(setup) = first.open()? else { return Err(Error::NoSetup) };
    let (configured, session) = shared.open(&setup, caller.authorization.as_deref()).await?;
    let merchant = recheck(&configured, &session)?;
    let limit = usize::try_from(merchant.streams).unwrap_or(usize::MAX);
    let slot = shared.slots.enter(merchant.id, &session.source.client_id, limit)?;
    Ok((session, slot))
}

async fn serve(shared: Arc<Shared>, caller: Caller, session: Session, _slot: Slot) -> Result<(), Error> {
    let configured = shared.configured();
    let merchant = recheck(&configured, &session)?;
    let settings = &shared.settings;
    let age = settings.max_stream_age_seconds;
    shared.telemetry.streams.increment(1.0);
    caller.outbox.ready(ready(&shared));
    tracing::debug!(merchant = %session.source.merchant, data_stream = %session.source.data_stream, "stream open");

    let mut stream = Stream {
        merchant,
        checked: configured.version(),
        reconfigured: shared.reconfigured.clone(),
        frames: caller.frames,
        reading: Reading::Open,
        window: Window::new(settings.credit_hits),
        pressure: shared.budget.pressure(),
        withheld: false,
        waiting: Default::default(),
        room: PollSemaphore::new(shared.budget.room()),
        flight: Flight::default(),
        desk: Arc::default(),
        outbox: caller.outbox,
        gone: caller.gone,
        patience: None,
        retirement: (age > 0).then(|| Box::pin(tokio::time::sleep(Duration::from_secs(age)))),
        session,
        shared: Arc::clone(&shared),
    };
    let end = stream.serve().await;
    let merchant = stream.session.source.merchant;
    let frames = stream.flight.landed();
    match &end {
        Ok(()) => tracing::debug!(%merchant, frames, "stream ended"),
        Err(error) => tracing::info!(%merchant, frames, %error, "stream ended by the server"),
    }
    drop(stream);
    // It may have been given room while it ended, and nobody else would see that this is free again.
    shared.budget.update();
    end
}

fn ready(shared: &Shared) -> Ready {
    // Every limit fits into 32 bits.
    let limit = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
    Ready {
        server_time_ms: shared.clock.now().0,
        limits: Some(Limits {
            hit_bytes: limit(limits::HIT_BYTES),
            batch_hits: limit(limits::BATCH_HITS),
            batch_bytes: limit(limits::BATCH_BYTES),
            frame_bytes: limit(limits::FRAME_BYTES),
            max_age_ms: limits::MAX_AGE_MS,
        }),
        flush_hint: Some(FlushHint {
            hits: shared.settings.flush_hits,
            max_delay_ms: shared.settings.flush_delay_ms,
        }),
        instance_id: shared.instance_id.to_string(),
    }
}
