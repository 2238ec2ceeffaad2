//! Who may send, and for whom: what a Setup opens.

use std::sync::Arc;

use bytes::Bytes;
use catalog::{Grant, Merchant, Snapshot, bearer};
use model::{DataStreamId, Invalid, Lane, MerchantId, Role};
use prost::Message;
use proto::v1;
use proto::wire::ContextRef;

use crate::admit::check_context;
use crate::error::Error;

/// Bytes of the name and of the version of an SDK.
const SDK_BYTES: usize = 40;

/// A sender that was let in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// By which key.
    pub(crate) grant: Grant,
    /// What its hits have in common.
    pub(crate) source: Arc<Source>,
}

/// What all hits of a sender have in common; it goes into the log with each batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Whose hits they are, by the key.
    pub(crate) merchant: MerchantId,
    /// Which data stream, by the key.
    pub(crate) data_stream: DataStreamId,
    /// The client of batches that name none.
    pub(crate) client_id: String,
    /// The epoch of batches that give none.
    pub(crate) epoch: u64,
    /// The encoded `Context`.
    pub(crate) context: Bytes,
    /// Under which rules of time hits are admitted.
    pub(crate) lane: Lane,
}

/// Lets a sender in by its encoded `Setup`, which may leave the key to the `authorization` header.
pub(crate) fn open(
    configured: &Snapshot,
    setup: &[u8],
    authorization: Option<&[u8]>,
) -> Result<Session, Error> {
    let setup = v1::Setup::decode(setup).map_err(|error| Error::BadSetup(error.to_string()))?;
    let key = if setup.key.is_empty() { bearer(authorization)? } else { &setup.key };
    let grant = configured.authenticate(key)?;
    let lane = match setup.lane() {
        v1::Lane::Unspecified | v1::Lane::Live => Lane::Live,
        v1::Lane::History => Lane::History,
    };
    let (merchant, data_stream) = match grant.role {
        Role::Write => own(&grant, &setup, lane)?,
        Role::Admin => named(configured, &setup)?,
        Role::Read => return Err(Error::ReadKey(grant.key_id)),
    };
    check(&setup)?;
    let context = setup.context.unwrap_or_default().encode_to_vec();
    check_context(&ContextRef::parse(&context)?).map_err(|fault| Error::BadSetup(fault.message))?;
    let source = Source {
        merchant,
        data_stream,
        client_id: setup.client_id,
        epoch: setup.epoch,
        context: context.into(),
        lane,
    };
    Ok(Session { grant, source: Arc::new(source) })
}

/// The merchant as it is configured now, if the grant still holds.
pub(crate) fn recheck(configured: &Snapshot, session: &Session) -> Result<Arc<Merchant>, Error> {
    configured.still(&session.grant)?;
    let merchant = session.source.merchant;
    configured.merchant(merchant).cloned().ok_or(Error::NoMerchant(merchant))
}

/// Whose hits a write key sends: it says so by itself.
fn own(grant: &Grant, setup: &v1::Setup, lane: Lane) -> Result<(MerchantId, DataStreamId), Error> {
    let key = || Arc::clone(&grant.key_id);
    if lane == Lane::History {
        return Err(Error::HistoryNeedsAdmin(key()));
    }
    let own = grant.merchant.unwrap_or_default();
    let stream = grant.data_stream.unwrap_or_default();
    let names = |asked: u64, own: u64| asked == 0 || asked == own;
    if !names(setup.merchant_id, own.0) || !names(setup.data_stream_id.into(), stream.0.into()) {
        return Err(Error::NotYours { key: key(), own, asked: MerchantId(setup.merchant_id) });
    }
    Ok((own, stream))
}

/// Whose hits an admin key sends: Setup says so.
fn named(configured: &Snapshot, setup: &v1::Setup) -> Result<(MerchantId, DataStreamId), Error> {
    if setup.merchant_id == 0 {
        return Err(Error::NoMerchantNamed);
    }
    let merchant = MerchantId(setup.merchant_id);
    configured.merchant(merchant).ok_or(Error::NoMerchant(merchant))?;
    let asked = DataStreamId(setup.data_stream_id);
    let stream = match asked.0 {
        0 => configured.first_data_stream(merchant),
        _ => configured.data_stream(asked).filter(|s| s.merchant == merchant).map(|s| s.id),
    };
    Ok((merchant, stream.ok_or(Error::NoDataStream { merchant, asked })?))
}

fn check(setup: &v1::Setup) -> Result<(), Invalid> {
    let short = |what, text: &str, limit: usize| {
        let fits = text.len() <= limit;
        fits.then_some(()).ok_or_else(|| Invalid::new(what, text, format!("at most {limit} bytes")))
    };
    short("client id", &setup.client_id, model::limits::ID_BYTES)?;
    let sdk = setup.sdk.as_ref();
    short("name of the SDK", sdk.map_or("", |sdk| &sdk.name), SDK_BYTES)?;
    short("version of the SDK", sdk.map_or("", |sdk| &sdk.version), SDK_BYTES)
}

#[cfg(test)]
mod tests;
