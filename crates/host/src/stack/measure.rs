use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, header};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use metrics::{counter, gauge, histogram};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

/// The gRPC methods that exist, by path. Labels come only from here and from our own routes: callers cannot make more.
pub(crate) struct Methods(HashMap<String, Method>);

/// What a call is named in spans and metrics: `hitmill.v1.QueryService/Query`, or `GET /metrics`.
#[derive(Clone)]
pub(crate) struct Method(Arc<str>);

impl Methods {
    /// The methods of encoded descriptor sets.
    pub(crate) fn of(descriptors: &[&[u8]]) -> Result<Self, prost::DecodeError> {
        let mut methods = HashMap::new();
        for set in descriptors {
            for file in FileDescriptorSet::decode(*set)?.file {
                for service in &file.service {
                    for method in &service.method {
                        let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                        methods.insert(format!("/{name}"), Method(name.into()));
                    }
                }
            }
        }
        Ok(Self(methods))
    }

    fn name(&self, request: &Request) -> Method {
        if let Some(method) = self.0.get(request.uri().path()) {
            return method.clone();
        }
        let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
        // Callers may make up the names of HTTP methods too.
        let verb = match request.method().as_str() {
            verb @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS") => verb,
            _ => "OTHER",
        };
        Method(format!("{verb} {route}").into())
    }
}

impl Method {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names the call for the layers below.
pub(super) async fn name(State(methods): State<Arc<Methods>>, mut request: Request, next: Next) -> Response {
    let method = methods.name(&request);
    request.extensions_mut().insert(method);
    next.run(request).await
}

/// Counts the call by how it ends, and the time until it is answered: until the headers, so that a stream counts by its
/// start and not by its life.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    let method = request.extensions().get::<Method>().map_or_else(|| "unknown".into(), |m| Arc::clone(&m.0));
    let started = Instant::now();
    let mut call = Call::begin(Arc::clone(&method));
    let response = next.run(request).await;
    histogram!("hitmill_request_seconds", "method" => method).record(started.elapsed());
    call.heard(response.headers());
    if !is_grpc(response.headers()) {
        call.code = Some(response.status().as_str().to_owned());
    }
    response.map(|body| Body::new(Answer { body, call }))
}

/// The body of an answer, watched for the trailers in which gRPC says how a call ended.
struct Answer {
    body: Body,
    call: Call,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.heard(trailers);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A call under way. It is counted when it is dropped: when its body was sent, or was given up.
struct Call {
    method: Arc<str>,
    code: Option<String>,
}

impl Call {
    fn begin(method: Arc<str>) -> Self {
        gauge!("hitmill_requests_in_flight", "method" => Arc::clone(&method)).increment(1);
        Self { method, code: None }
    }

    fn heard(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.code = Some(format!("{:?}", Code::from_bytes(status.as_bytes())));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // No status was sent: the caller went away before.
        let code = self.code.take().unwrap_or_else(|| format!("{:?}", Code::Cancelled));
        counter!("hitmill_requests_total", "method" => Arc::clone(&self.method), "code" => code).increment(1);
        gauge!("hitmill_requests_in_flight", "method" => Arc::clone(&self.method)).decrement(1);
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/grpc"))
}
