//! What the client does not offer: questions to PD over HTTP, and half a commit over TiKV's gRPC.

use prost::Message;
use test_servers::Tikv;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::client::Grpc;
use tonic::transport::Endpoint;

/// What PD answers to a GET.
pub(crate) async fn pd_says(cluster: &Tikv, path: &str) -> serde_json::Value {
    let mut stream = TcpStream::connect(&cluster.endpoints()[0]).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    serde_json::from_str(reply.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Locks `key` as the first phase of a commit does, for a put of a transaction whose primary key is `primary`.
pub(crate) async fn lock(cluster: &Tikv, key: &str, primary: &str, start_version: u64) {
    let id = cluster.pd().region_of(key.as_bytes()).await.unwrap().id;
    let region = pd_says(cluster, &format!("/pd/api/v1/region/id/{id}")).await;
    let number = |pointer: &str| region.pointer(pointer).unwrap().as_u64().unwrap();
    let epoch = Epoch { conf_ver: number("/epoch/conf_ver"), version: number("/epoch/version") };
    let peer = Peer { id: number("/leader/id"), store_id: number("/leader/store_id") };
    let put = Mutation { op: 0, key: key.into(), value: b"lost".to_vec() };
    let request = Prewrite {
        context: Some(Context { region_id: id, epoch: Some(epoch), peer: Some(peer) }),
        mutations: vec![put],
        primary_lock: primary.into(),
        start_version,
        lock_ttl: 3_000,
    };
    let endpoint = Endpoint::from_shared(format!("http://{}", cluster.store_address(0).unwrap())).unwrap();
    let mut client = Grpc::new(endpoint.connect().await.unwrap());
    client.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<Prewrite, Prewritten>::default();
    let path = "/tikvpb.Tikv/KvPrewrite".parse().unwrap();
    let reply = client.unary(tonic::Request::new(request), path, codec).await.unwrap().into_inner();
    assert_eq!(reply, Prewritten::default(), "the lock was refused");
}

#[derive(Clone, PartialEq, Message)]
struct Prewrite {
    #[prost(message, optional, tag = "1")]
    context: Option<Context>,
    #[prost(message, repeated, tag = "2")]
    mutations: Vec<Mutation>,
    #[prost(bytes = "vec", tag = "3")]
    primary_lock: Vec<u8>,
    #[prost(uint64, tag = "4")]
    start_version: u64,
    #[prost(uint64, tag = "5")]
    lock_ttl: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Prewritten {
    #[prost(bytes = "vec", optional, tag = "1")]
    region_error: Option<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    errors: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Context {
    #[prost(uint64, tag = "1")]
    region_id: u64,
    #[prost(message, optional, tag = "2")]
    epoch: Option<Epoch>,
    #[prost(message, optional, tag = "3")]
    peer: Option<Peer>,
}

#[derive(Clone, PartialEq, Message)]
struct Epoch {
    #[prost(uint64, tag = "1")]
    conf_ver: u64,
    #[prost(uint64, tag = "2")]
    version: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Peer {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    store_id: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Mutation {
    #[prost(int32, tag = "1")]
    op: i32,
    #[prost(bytes = "vec", tag = "2")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    value: Vec<u8>,
}
