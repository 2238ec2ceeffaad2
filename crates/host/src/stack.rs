//! What every call passes through, whichever service answers it.

mod deadline;
mod measure;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use http::{HeaderName, Request, Response, StatusCode};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any as AnyOf, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

pub(crate) use measure::Methods;

/// How long a browser may remember that a page of another site may call.
const CORS_AGE: Duration = Duration::from_secs(2 * 3600);

/// Wraps the gRPC services.
pub(crate) fn around_grpc(routes: Router, methods: &Arc<Methods>) -> Router {
    around_all(routes, methods)
        // Browsers speak gRPC-web. Outside of the other layers, so that they see one protocol only.
        .layer(tonic_web::GrpcWebLayer::new())
        // Hits come from the pages of other sites, so their browsers must let them call and see how it went.
        .layer(cors())
}

/// Wraps the plain HTTP routes. The bodies of gRPC calls have their limit where they are decoded.
pub(crate) fn around_http(routes: Router, methods: &Arc<Methods>, body_bytes: usize) -> Router {
    // Extractors stop here, ...
    let limited = routes.layer(DefaultBodyLimit::max(body_bytes));
    // ... and handlers that read the body by themselves here.
    around_all(limited.layer(RequestBodyLimitLayer::new(body_bytes)), methods)
        // As for gRPC.
        .layer(cors())
}

/// Wraps the pages of the host itself, which pages of other sites have no business to read.
pub(crate) fn around_pages(routes: Router, methods: &Arc<Methods>) -> Router {
    around_all(routes, methods)
}

fn around_all(routes: Router, methods: &Arc<Methods>) -> Router {
    routes.layer(
        ServiceBuilder::new()
            // Which service and method: on every line that is logged below. Never an address, never a key.
            .layer(from_fn_with_state(Arc::clone(methods), measure::name))
            .layer(
                TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(()).on_failure(()),
            )
            // How many calls, how they ended, how long they took. Above the panics, so that those count as well.
            .layer(from_fn(measure::measure))
            // A panic in one call is that call's failure, not that of the others on its connection.
            .layer(CatchPanicLayer::custom(panicked))
            // What the caller no longer waits for is not worked on.
            .layer(from_fn(deadline::deadline)),
    )
}

fn span<B>(request: &Request<B>) -> Span {
    let method = request.extensions().get::<measure::Method>().map_or("unknown", measure::Method::as_str);
    tracing::info_span!("call", method)
}

fn panicked(panic: Box<dyn Any + Send>) -> Response<String> {
    let what =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = what.unwrap_or("of an unknown kind"), "a call panicked");
    let mut response = Response::new("a defect of the server ended the call; it is in its log\n".to_owned());
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    // For a caller over gRPC; the message is plain ASCII, which a header can always hold.
    let _ =
        tonic::Status::internal("a defect of the server ended the call").add_header(response.headers_mut());
    response
}

fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOf)
        .allow_methods(AnyOf)
        .allow_headers(AnyOf)
        .expose_headers(
            ["grpc-status", "grpc-message", "grpc-status-details-bin"].map(HeaderName::from_static),
        )
        .max_age(CORS_AGE)
}
