//! The proto3 JSON mapping of any message of the contract, by its descriptor.

use std::sync::LazyLock;

use model::Invalid;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

use crate::DESCRIPTORS;

#[expect(clippy::expect_used, reason = "the descriptors are checked in beside the code made from them")]
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("the checked-in descriptors decode"));

#[expect(clippy::expect_used, reason = "callers name messages of this package; every name is in a test")]
fn descriptor(name: &str) -> MessageDescriptor {
    POOL.get_message_by_name(&format!("hitmill.v1.{name}")).expect("the message is in the contract")
}

/// Encodes the JSON of a `hitmill.v1` message: camelCase or the names of the .proto file, unknown fields refused.
pub fn to_wire(name: &str, json: &[u8]) -> Result<Vec<u8>, Invalid> {
    let mut input = serde_json::Deserializer::from_slice(json);
    let message = DynamicMessage::deserialize(descriptor(name), &mut input)
        .and_then(|message| input.end().map(|()| message))
        .map_err(|e| {
            // Without the body: it may hold a key, and errors end up in logs.
            Invalid::new("JSON body", format!("of {} bytes", json.len()), format!("a {name} as JSON ({e})"))
        })?;
    Ok(message.encode_to_vec())
}

/// The JSON of a `hitmill.v1` message, with the names of the .proto file.
pub fn from_wire(name: &str, wire: &[u8]) -> Option<serde_json::Value> {
    let message = DynamicMessage::decode(descriptor(name), wire).ok()?;
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).ok()
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::v1;

    #[test]
    fn json_of_a_send_request_is_its_message() {
        let json = br#"{"setup": {"client_id": "c1"}, "batches": [{"firstSeq": "7", "hits": [{"name": "page_view"}]}]}"#;
        let sent = v1::SendRequest::decode(&*to_wire("SendRequest", json).unwrap()).unwrap();
        assert_eq!(sent.setup.unwrap().client_id, "c1");
        assert_eq!((sent.batches[0].first_seq, &*sent.batches[0].hits[0].name), (7, "page_view"));
    }

    #[test]
    fn a_wrong_field_is_named() {
        let refused = to_wire("SendRequest", br#"{"setup": {"key": "hm_a_secret", "colour": 1}}"#)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("colour") && !refused.contains("secret"), "{refused}");
    }

    #[test]
    fn a_response_has_json() {
        let wire = v1::SendResponse { accepted: 3, refused: Vec::new() }.encode_to_vec();
        assert_eq!(from_wire("SendResponse", &wire).unwrap().to_string(), r#"{"accepted":"3","refused":[]}"#);
    }
}
