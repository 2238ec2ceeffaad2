//! What a subscriber holds: the rows of its answer, kept up to date by the messages.

use std::collections::BTreeMap;

use proto::v1::{Row, SubscribeResponse};

/// Rows by start and dimensions.
pub(super) type Held = BTreeMap<Place, Row>;
/// What a row is known by.
pub(super) type Place = (Option<(i64, i32)>, Vec<String>);

/// Where the row belongs.
pub(super) fn place(row: &Row) -> Place {
    (row.start.map(|at| (at.seconds, at.nanos)), row.dimensions.clone())
}

/// Takes in a message.
pub(super) fn apply(held: &mut Held, message: &SubscribeResponse) {
    if message.snapshot {
        held.clear();
    }
    message.removed.iter().for_each(|row| {
        held.remove(&place(row));
    });
    held.extend(message.rows.iter().map(|row| (place(row), row.clone())));
}
