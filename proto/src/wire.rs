//! A borrowed walk over batches and hits as they came over the wire: no objects are built, and nothing is copied.
//! Admission checks hits with it, and the fold reads them with it, from the same bytes.

mod batch;
mod context;
mod fields;
mod frame;
mod hit;

pub use batch::{BatchRef, HitBytes};
pub use context::ContextRef;
pub use fields::{Field, Fields, Malformed};
pub use frame::{FrameRef, RawClientFrame, RawSendRequest};
pub use hit::{HitRef, ItemRef, MoneyRef, ParamRef, ParamValue};
