//! What the client's errors say.

use std::cell::Cell;

use tikv_client::{Error, ProtoKeyError};

const MAX_SHOWN_CHARS: usize = 300; // some errors show every lock and region that they met

/// The error in a line of a bounded length.
pub(super) fn shown(error: &Error) -> String {
    let text = error.to_string();
    match text.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text,
    }
}

/// Whether another transaction wrote one of the keys since this one began. Only the first phase of a commit can say so: none
/// of the transaction's writes is, or will be, visible.
pub(super) fn is_write_conflict(error: &Error) -> bool {
    any_key_error(error, &|key_error| key_error.conflict.is_some())
}

/// Whether a rollback was refused since the transaction is committed. There is no field for it: TiKV and unistore both say it
/// in the text of an abort, and a rollback has no other abort that speaks of it.
pub(super) fn says_committed(error: &Error) -> bool {
    any_key_error(error, &|key_error| key_error.abort.to_ascii_lowercase().contains("committed"))
}

/// The start of a transaction that left a lock, but no trace at its primary key. The client ought to undo such a transaction
/// once its lock is old, but looks for this error in another place, and so would fail on the lock for ever.
pub(super) fn orphaned(error: &Error) -> Option<u64> {
    let start = Cell::new(None);
    any_key_error(error, &|key_error| {
        start.set(key_error.txn_not_found.as_ref().map(|found| found.start_ts));
        start.get().is_some()
    });
    match error {
        Error::TxnNotFound(found) => Some(found.start_ts),
        _ => start.get(),
    }
}

/// Whether a reply was longer than we take.
pub(super) fn is_too_long(error: &Error) -> bool {
    match error {
        // The status is of the client's own tonic, whose codes print as those of every gRPC library.
        Error::GrpcAPI(status) => format!("{:?}", status.code()) == "OutOfRange",
        Error::ExtractedErrors(errors) | Error::MultipleKeyErrors(errors) => errors.iter().any(is_too_long),
        _ => false,
    }
}

fn any_key_error(error: &Error, is: &dyn Fn(&ProtoKeyError) -> bool) -> bool {
    match error {
        Error::KeyError(key_error) => is(key_error),
        Error::ExtractedErrors(errors) | Error::MultipleKeyErrors(errors) => {
            errors.iter().any(|error| any_key_error(error, is))
        }
        Error::UndeterminedError(error) => any_key_error(error, is),
        Error::PessimisticLockError { inner, .. } => any_key_error(inner, is),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tikv_client::{Error, ProtoKeyError};

    use super::{is_write_conflict, orphaned, says_committed, shown};

    fn nested(key_error: ProtoKeyError) -> Error {
        let within = vec![Error::Unimplemented, Error::KeyError(Box::new(key_error))];
        Error::ExtractedErrors(vec![Error::MultipleKeyErrors(within)])
    }

    #[test]
    fn finds_what_is_said_deep_inside() {
        let conflict = ProtoKeyError { conflict: Some(Default::default()), ..Default::default() };
        let said = |abort: &str| nested(ProtoKeyError { abort: abort.to_owned(), ..Default::default() });
        assert!(is_write_conflict(&nested(conflict)));
        assert!(!is_write_conflict(&said("txn already committed")));
        // As unistore and as TiKV say it.
        assert!(says_committed(&said("txn already committed")));
        assert!(says_committed(&said(
            "Error(Txn(Error(Mvcc(Error(Committed { start_ts: TimeStamp(4) })))))"
        )));
        assert!(!says_committed(&said("already rollback")));
        assert!(!says_committed(&Error::StringError("committed".to_owned())));
        let mut lost = ProtoKeyError { txn_not_found: Some(Default::default()), ..Default::default() };
        lost.txn_not_found.as_mut().unwrap().start_ts = 7;
        assert_eq!(orphaned(&nested(lost)), Some(7));
        assert_eq!(orphaned(&said("txn not found")), None);
    }

    #[test]
    fn long_errors_are_cut() {
        assert_eq!(shown(&Error::StringError("é".repeat(400))).chars().count(), 303);
        assert_eq!(shown(&Error::StringError("short".to_owned())), "short");
    }
}
