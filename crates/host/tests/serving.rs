//! A host with one tiny service, seen from outside.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::routing::get;
use clock::Clock;
use host::{Drains, Host, Platform, Served, Service, Settings};
use proto::v1;
use proto::v1::ingest_service_client::IngestServiceClient;
use proto::v1::ingest_service_server::{IngestService, IngestServiceServer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

/// What the tiny service does, and what a test sees of it.
#[derive(Clone, Default)]
struct Tiny {
    become_ready: Arc<Notify>,
    drained: Arc<AtomicBool>,
    worker_ended: Arc<AtomicBool>,
}

/// Settings cannot carry handles, so tests give them by the run they belong to.
static RUNS: std::sync::Mutex<Vec<Tiny>> = std::sync::Mutex::new(Vec::new());

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Run(usize);

fn run(run: &Run) -> Tiny {
    RUNS.lock().unwrap()[run.0].clone()
}

#[async_trait]
impl Service for Tiny {
    type Settings = Run;
    const NAME: &'static str = "tiny";

    async fn start(platform: Platform, settings: Run) -> anyhow::Result<Served> {
        let tiny = run(&settings);
        let (drain, drained) = (platform.drain.clone(), Arc::clone(&tiny.drained));
        platform.tasks.spawn(async move {
            drain.cancelled().await;
            work().await;
            drained.store(true, Ordering::SeqCst);
        });
        let mut served = Served { names: vec!["hitmill.v1.IngestService"], ..Served::default() };
        served.grpc.add_service(IngestServiceServer::new(Answers));
        served.http = axum::Router::new()
            .route("/echo/{what}", get(|what: axum::extract::Path<String>| async { what.0 }));
        served.ready = Some(Box::pin(async move { tiny.become_ready.notified().await }));
        Ok(served)
    }
}

/// A worker that ends after the server: it must find that the other service has drained.
struct Worker;

#[async_trait]
impl Service for Worker {
    type Settings = Run;
    const NAME: &'static str = "worker";
    const DRAINS: Drains = Drains::AfterServer;

    async fn start(platform: Platform, settings: Run) -> anyhow::Result<Served> {
        let tiny = run(&settings);
        let drain = platform.drain.clone();
        platform.tasks.spawn(async move {
            drain.cancelled().await;
            let others_ended = tiny.drained.load(Ordering::SeqCst);
            work().await;
            tiny.worker_ended.store(others_ended, Ordering::SeqCst);
        });
        Ok(Served::default())
    }
}

/// Takes a while, so that whoever does not wait for it is found out.
async fn work() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}

struct Answers;

#[async_trait]
impl IngestService for Answers {
    type StreamStream = tokio_stream::Empty<Result<v1::ServerFrame, Status>>;

    async fn stream(
        &self,
        _: Request<Streaming<v1::ClientFrame>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }

    async fn send(&self, request: Request<v1::SendRequest>) -> Result<Response<v1::SendResponse>, Status> {
        assert!(request.remote_addr().is_some());
        match request.get_ref().batches.len() {
            0 => Err(Status::invalid_argument("no batches")),
            1 => Ok(Response::new(v1::SendResponse { accepted: 1, refused: Vec::new() })),
            2 => std::future::pending().await,
            _ => panic!("on purpose"),
        }
    }
}

struct Running {
    tiny: Tiny,
    address: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<anyhow::Result<()>>,
    _data: TempDir,
}

async fn start(settings: Settings) -> Running {
    let data = tempfile::tempdir().unwrap();
    let platform =
        host::platform::embedded(data.path(), Default::default(), Default::default(), Clock::system())
            .await
            .unwrap();
    let tiny = Tiny::default();
    let number = {
        let mut runs = RUNS.lock().unwrap();
        runs.push(tiny.clone());
        runs.len() - 1
    };
    let host = Host::new(platform, settings).with::<Tiny>(Run(number)).await.unwrap();
    let host = host.with::<Worker>(Run(number)).await.unwrap();
    let listener = host::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(host.serve(listener, async {
        let _ = stopped.await;
    }));
    Running { tiny, address, stop, serving, _data: data }
}

impl Running {
    async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    /// Status line and body of an HTTP/1.1 call.
    async fn http(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let (head, body) = self.http(&request).await;
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
    }

    async fn stop(self) -> Tiny {
        self.stop.send(()).unwrap();
        self.serving.await.unwrap().unwrap();
        self.tiny
    }
}

fn send(batches: usize) -> v1::SendRequest {
    v1::SendRequest { setup: None, batches: vec![v1::Batch::default(); batches] }
}

#[tokio::test]
async fn health_follows_readiness_and_the_drain() {
    let running = start(Settings::default()).await;
    let mut health = HealthClient::new(running.channel().await);
    let of = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "hitmill.v1.IngestService"] {
        let status = health.check(of(service)).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::NotServing, "{service:?}");
    }
    assert_eq!(health.check(of("no.such.Service")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(running.get("/healthz").await, (200, "alive\n".to_owned()));
    assert_eq!(running.get("/readyz").await, (503, "not ready: tiny\n".to_owned()));

    let mut watch = health.watch(of("")).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    running.tiny.become_ready.notify_one();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    assert_eq!(running.get("/readyz").await, (200, "ready\n".to_owned()));

    // The open watch must neither be cut off without the news nor hold up the drain.
    let stopping = tokio::spawn(running.stop());
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(watch.next().await.is_none());
    stopping.await.unwrap();
}

#[tokio::test]
async fn the_drain_waits_for_tasks_and_ends_workers_last() {
    let tiny = start(Settings::default()).await.stop().await;
    assert!(tiny.worker_ended.load(Ordering::SeqCst), "the worker ended when the rest had");
}

#[tokio::test]
async fn a_call_that_does_not_end_holds_up_the_drain_only_to_the_limit() {
    let running = start(Settings { drain_seconds: 0, ..Settings::default() }).await;
    let mut ingest = IngestServiceClient::new(running.channel().await);
    let call = tokio::spawn(async move { ingest.send(send(2)).await });
    while !running
        .get("/metrics")
        .await
        .1
        .contains(r#"hitmill_requests_in_flight{method="hitmill.v1.IngestService/Send"} 1"#)
    {
        tokio::task::yield_now().await;
    }
    running.stop().await;
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn one_port_answers_grpc_grpc_web_and_http() {
    let running = start(Settings::default()).await;
    let mut ingest = IngestServiceClient::new(running.channel().await);
    assert_eq!(ingest.send(send(1)).await.unwrap().into_inner().accepted, 1);
    assert_eq!(ingest.send(send(0)).await.unwrap_err().message(), "no batches");

    assert_eq!(running.get("/echo/hello").await, (200, "hello".to_owned()));
    assert!(running.get("/").await.1.starts_with("hitmill"));
    assert_eq!(
        running.get("/nowhere").await,
        (404, "nothing at /nowhere: / says where to look\n".to_owned())
    );

    // An empty gRPC-web message: five bytes of frame header.
    let web = "POST /hitmill.v1.IngestService/Send HTTP/1.1\r\nHost: x\r\nOrigin: http://shop.example\r\n\
               Content-Type: application/grpc-web+proto\r\nContent-Length: 5\r\nConnection: close\r\n\r\n\0\0\0\0\0";
    let (head, _) = running.http(web).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("grpc-status: 3"), "{head}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    running.stop().await;
}

#[tokio::test]
async fn a_panic_ends_its_call_only_and_a_deadline_is_kept() {
    let running = start(Settings::default()).await;
    let mut ingest = IngestServiceClient::new(running.channel().await);
    let failed = ingest.send(send(3)).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::Internal, "a defect of the server ended the call"));
    assert_eq!(ingest.send(send(1)).await.unwrap().into_inner().accepted, 1);

    // By hand, because the client of tonic has a timer of its own for this: two empty batches over gRPC-web.
    let web = "POST /hitmill.v1.IngestService/Send HTTP/1.1\r\nHost: x\r\nContent-Type: application/grpc-web+proto\r\n\
               Grpc-Timeout: 20m\r\nContent-Length: 9\r\nConnection: close\r\n\r\n\0\0\0\0\x04\x12\0\x12\0";
    let (head, _) = running.http(web).await;
    assert!(head.contains("grpc-status: 4"), "{head}");
    running.stop().await;
}

#[tokio::test]
async fn metrics_count_calls_by_method_and_code() {
    let running = start(Settings::default()).await;
    // Other tests call Send at the same time: this method is called here only.
    let mut ingest = IngestServiceClient::new(running.channel().await);
    let mut frames = ingest.stream(tokio_stream::empty()).await.unwrap().into_inner();
    assert!(frames.next().await.is_none());
    let method = r#"method="hitmill.v1.IngestService/Stream""#;
    let (status, text) = running.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains(&format!(r#"hitmill_requests_total{{{method},code="Ok"}} 1"#)), "{text}");
    assert!(text.contains(&format!("hitmill_request_seconds_count{{{method}}} 1")), "{text}");
    assert!(text.contains(&format!("hitmill_requests_in_flight{{{method}}} 0")), "{text}");
    for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"] {
        assert!(text.contains(&format!("\n{name} ")), "{name} is missing");
    }
    running.stop().await;
}

#[tokio::test]
async fn reflection_lists_what_runs_here_in_both_versions() {
    use tonic_reflection::pb::{v1, v1alpha};
    let running = start(Settings::default()).await;

    let list = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(running.channel().await);
    let answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer = answers.collect::<Vec<_>>().await.remove(0).unwrap().message_response;
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(found)) = answer else {
        panic!("{answer:?}")
    };
    let mut names: Vec<String> = found.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "hitmill.v1.IngestService"
        ]
    );

    let of_symbol = "hitmill.v1.IngestService".to_owned();
    let list = v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(of_symbol);
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(running.channel().await);
    let answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer = answers.collect::<Vec<_>>().await.remove(0).unwrap().message_response;
    let Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(found)) = answer
    else {
        panic!("{answer:?}")
    };
    assert_eq!(found.file_descriptor_proto.len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let running = start(Settings { max_connections: 1, ..Settings::default() }).await;
    let channel = running.channel().await;
    IngestServiceClient::new(channel.clone()).send(send(1)).await.unwrap();
    let mut refused = TcpStream::connect(&running.address).await.unwrap();
    assert!(matches!(refused.read(&mut [0]).await, Ok(0) | Err(_)), "nothing is served");
    drop(channel);
    running.stop().await;
}

#[tokio::test]
async fn an_http_body_beyond_the_limit_is_refused() {
    let running = start(Settings { http_body_bytes: 10, ..Settings::default() }).await;
    let request =
        "POST /echo/x HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nConnection: close\r\n\r\n12345678901";
    let (head, _) = running.http(request).await;
    assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    running.stop().await;
}

#[tokio::test]
async fn an_address_in_use_or_not_an_address_is_named() {
    let taken = host::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(
        host::bind(&address).await.unwrap_err().to_string(),
        format!("{address} is in use: stop what listens there, or choose another address")
    );
    let wrong = host::bind("nonsense").await.unwrap_err().to_string();
    assert!(wrong.starts_with("failed to listen on nonsense: "), "{wrong}");
}
