//! From the kind of an error to a gRPC status and an HTTP code: the only place that knows both.

use model::Kind;
use tonic::{Code, Status};

/// The gRPC code of a kind.
pub fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Exists => Code::AlreadyExists,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::Forbidden => Code::PermissionDenied,
        Kind::Exhausted => Code::ResourceExhausted,
        Kind::Conflict => Code::Aborted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Corrupt => Code::DataLoss,
        Kind::Unknown => Code::Unknown,
        Kind::Internal => Code::Internal,
    }
}

/// The HTTP status of a kind.
pub fn http(kind: Kind) -> u16 {
    match kind {
        Kind::Invalid => 400,
        Kind::Unauthenticated => 401,
        Kind::Forbidden => 403,
        Kind::NotFound => 404,
        Kind::Exists | Kind::Conflict => 409,
        Kind::Exhausted => 429,
        Kind::Unavailable => 503,
        Kind::Corrupt | Kind::Unknown | Kind::Internal => 500,
    }
}

/// The gRPC status of an error that classified itself. What is wrong inside is logged where it happens; the caller
/// hears the message only of what the caller can do something about.
pub fn status(kind: Kind, message: impl std::fmt::Display) -> Status {
    Status::new(code(kind), message.to_string())
}
