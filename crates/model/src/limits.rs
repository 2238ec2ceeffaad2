//! What a hit, a batch and a client may be. Admission enforces these, `Ready` announces them, and the SDKs keep to
//! them. The sizes follow GA4's where it has one, so that nobody who comes from there is surprised.

/// Bytes of one hit, encoded.
pub const HIT_BYTES: usize = 32 * 1024;
/// Hits in one batch.
pub const BATCH_HITS: usize = 2_500;
/// Bytes of one batch, decompressed.
pub const BATCH_BYTES: usize = 512 * 1024;
/// Bytes of one gRPC message or HTTP body; a frame of many batches stays below it.
pub const FRAME_BYTES: usize = 1024 * 1024;
/// Bytes of a hit's name.
pub const NAME_BYTES: usize = 40;
/// Parameters of one hit.
pub const PARAMS: usize = 50;
/// Bytes of a parameter's name.
pub const PARAM_NAME_BYTES: usize = 40;
/// Bytes of a text parameter's value.
pub const PARAM_VALUE_BYTES: usize = 2_000;
/// Items of one hit.
pub const ITEMS: usize = 200;
/// Bytes of an item's id, name, brand, category or variant.
pub const ITEM_TEXT_BYTES: usize = 100;
/// How many of one item a hit may be about.
pub const ITEM_QUANTITY: u32 = 1_000_000;
/// Bytes of a URL, a referrer, a title or a user agent.
pub const TEXT_BYTES: usize = 2_048;
/// Bytes of a client id, a visitor id, a user id or a transaction id.
pub const ID_BYTES: usize = 256;
/// Milliseconds back that the live lane takes: 72 h, as GA4 does.
pub const MAX_AGE_MS: i64 = 72 * 3_600_000;
/// Milliseconds ahead of the server's clock that a hit may be, after correction.
pub const MAX_AHEAD_MS: i64 = 10 * 60_000;
/// A difference between `sent_at` and the server's clock below this is the network's, not the clock's: uncorrected.
pub const SKEW_TOLERANCE_MS: i64 = 60_000;
