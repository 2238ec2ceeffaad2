use prost::Message;
use proto::json::{from_wire, to_wire};
use proto::v1::SendRequest;

/// The body of `POST /v1/batches`. What is taken is a message, and the JSON of that message is the same message again.
pub fn json(data: &[u8]) {
    let Ok(wire) = to_wire("SendRequest", data) else { return };
    let message = SendRequest::decode(&*wire);
    assert!(message.is_ok(), "{message:?}");
    let written = from_wire("SendRequest", &wire).map(|json| json.to_string());
    let again = written.as_ref().map(|json| to_wire("SendRequest", json.as_bytes()));
    let again = again.and_then(Result::ok).map(|wire| SendRequest::decode(&*wire));
    assert_eq!(again, Some(message), "written as {written:?}");
}
