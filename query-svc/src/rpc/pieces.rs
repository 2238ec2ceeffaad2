use proto::v1;

use crate::execute::{Answering, Finality};
use crate::outlet::Outlet;

/// Rows of one piece.
const ROWS: usize = 1_000;

/// Sends an answer piece by piece, reading on as the reader takes them. The last piece says how its numbers were
/// counted: before the end nobody knows whether all are exact.
pub(super) async fn send(
    outlet: &Outlet<v1::QueryResponse>,
    mut answer: Answering,
    finality: Finality,
    by: Vec<String>,
) {
    let piece =
        |rows, methods| v1::QueryResponse { rows, finality: Some(finality.wire()), methods, by: by.clone() };
    let mut pending = Vec::new();
    loop {
        match answer.next().await {
            Ok(Some(rows)) => pending.extend(rows),
            Ok(None) => break,
            Err(error) => return outlet.end(error),
        }
        while pending.len() > ROWS {
            let rows = pending.drain(..ROWS).collect();
            if !outlet.send(|| piece(rows, Vec::new())).await {
                return;
            }
        }
    }
    outlet.send(|| piece(pending, answer.methods())).await;
}
