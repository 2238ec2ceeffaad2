//! Some batches at once, answered when they are durable.

use std::sync::Arc;

use proto::v1::SendResponse;
use proto::wire::RawSendRequest;
use tokio::time::Instant;

use crate::desk::Desk;
use crate::door::recheck;
use crate::error::Error;
use crate::flight::{Flight, Frame};
use crate::gather::Queued;
use crate::shared::Shared;

/// Takes a request in; `authorization` is for a Setup without a key. What an error left in the log may be sent again:
/// hits that came already are not counted twice.
pub(crate) async fn send(
    shared: &Arc<Shared>,
    request: &RawSendRequest,
    authorization: Option<&[u8]>,
) -> Result<SendResponse, Error> {
    let since = Instant::now();
    let (setup, batches) = request.open()?;
    let (configured, session) = shared.open(&setup, authorization).await?;
    let merchant = recheck(&configured, &session)?;
    // There is no credit to hold back: whoever comes now is told at once.
    if shared.budget.is_broken() {
        return Err(Error::LogAway);
    }
    let taken = shared.take_in(&session.source, &merchant, batches);
    let weight = taken.parcels.iter().map(|parcel| parcel.weight).sum();
    let mut room = shared.budget.try_take(weight).ok_or(Error::Busy)?;
    shared.telemetry.frame(request.0.len(), &taken);

    let desk = Arc::new(Desk::default());
    let mut flight = Flight::default();
    let parcels = taken.parcels.len();
    flight.start(Frame { since, hits: taken.hits, refusals: taken.refusals, parcels });
    for parcel in taken.parcels {
        // What is larger than all of the budget has less than its weight.
        let Some(permit) = room.split(parcel.weight.min(room.num_permits())) else { return Err(Error::Busy) };
        shared.gatherers.send(Queued { parcel, ticket: desk.ticket(0), permit });
    }
    let frame = loop {
        if let Some(frame) = flight.land() {
            break frame;
        }
        desk.bell().await;
        for report in desk.take() {
            flight.report(report).map_err(|_| Error::LogAway)?;
        }
    };
    shared.acked(frame.since);
    Ok(SendResponse { accepted: taken.accepted, refused: frame.refusals.into_list() })
}
