//! The same over plain HTTP.

use prost::Message;
use proto::v1::{SendRequest, SendResponse, Setup};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{NOW, Server, WRITE, batch, setup, within};

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// One request on a connection of its own.
async fn ask(server: &Server, first_line: &str, headers: &str, body: &[u8]) -> Answer {
    let mut connection = TcpStream::connect(server.address).await.unwrap();
    let length = body.len();
    let head = format!(
        "{first_line} HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    let mut answer = Vec::new();
    within(async {
        connection.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        connection.read_to_end(&mut answer).await.unwrap();
    })
    .await;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer.split_off(end + 4) }
}

const POST: &str = "POST /v1/batches";

#[tokio::test]
async fn protobuf_is_answered_in_protobuf() {
    let server = Server::start(Default::default()).await;
    let request = SendRequest { setup: Some(setup("c")), batches: vec![batch(1..4)] };
    let headers = "content-type: application/x-protobuf\r\n";
    let answer = ask(&server, POST, headers, &request.encode_to_vec()).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert_eq!(SendResponse::decode(&*answer.body).unwrap().accepted, 3);
    assert_eq!(server.log.seqs("c").await, [1, 2, 3]);
}

#[tokio::test]
async fn json_is_answered_in_json_and_the_key_can_come_in_three_ways() {
    let server = Server::start(Default::default()).await;
    let body = |key: &str, first_seq: u64| {
        let hits = json!([{"name": "page_view", "time_ms": NOW.to_string()}, {"name": "no good"}]);
        let batches = json!([{"first_seq": first_seq, "hits": hits}]);
        json!({"setup": {"client_id": "c", "key": key}, "batches": batches}).to_string().into_bytes()
    };
    let json_type = "content-type: application/json; charset=utf-8\r\n";
    let bearer = format!("{json_type}authorization: Bearer {WRITE}\r\n");
    let beacon = format!("{POST}?key={}", WRITE.replace(' ', "%20"));
    let ways = [
        (POST, json_type.to_owned(), body(WRITE, 1)),
        (POST, bearer, body("", 3)),
        (
            &*beacon,
            "content-type: text/plain;charset=UTF-8\r\norigin: https://shop.example\r\n".to_owned(),
            body("", 5),
        ),
    ];
    for (line, headers, body) in ways {
        let answer = ask(&server, line, &headers, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        let answer = answer.json();
        assert_eq!(
            (&answer["accepted"], &answer["refused"][0]["reason"]),
            (&json!("1"), &json!("REFUSAL_REASON_BAD_NAME"))
        );
    }
    assert_eq!(server.log.seqs("c").await, [1, 3, 5]);
}

#[tokio::test]
async fn errors_are_json_with_the_code_of_their_kind() {
    let server = Server::start(Default::default()).await;
    let json_type = "content-type: application/json\r\n";
    let expect = async |headers: &str, body: &[u8], status: u16, code: &str, error: &str| {
        let answer = ask(&server, POST, headers, body).await;
        let said = answer.json();
        assert_eq!((answer.status, said["code"].as_str()), (status, Some(code)), "{said}");
        assert!(said["error"].as_str().unwrap().contains(error), "{said}");
    };
    expect(json_type, b"{}", 401, "Unauthenticated", "no key").await;
    expect(json_type, b"{\"colour\": 1}", 400, "InvalidArgument", "colour").await;
    expect("content-type: image/png\r\n", b"", 400, "InvalidArgument", "image/png").await;
    let history = Setup { lane: proto::v1::Lane::History.into(), ..setup("c") };
    let request = SendRequest { setup: Some(history), batches: vec![] }.encode_to_vec();
    let protobuf = "content-type: application/protobuf\r\n";
    expect(protobuf, &request, 403, "PermissionDenied", "admin key").await;
    expect(protobuf, &[0xff; 10], 400, "InvalidArgument", "not a protobuf message").await;
    assert_eq!(ask(&server, POST, protobuf, &vec![0; (1 << 20) + 1]).await.status, 413);
}

#[tokio::test]
async fn pages_of_all_sites_may_post() {
    let server = Server::start(Default::default()).await;
    let asked = "origin: https://shop.example\r\naccess-control-request-method: POST\r\naccess-control-request-headers: authorization,content-type\r\n";
    let answer = ask(&server, "OPTIONS /v1/batches", asked, b"").await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    let head = answer.head.to_lowercase();
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    assert!(head.contains("access-control-allow-methods: *"), "{head}");
}
