//! `POST /v1/batches`: a `SendRequest` over plain HTTP, as protobuf or JSON, for pages that are being left and for whoever
//! has no gRPC. The host lets pages of all sites call it: write keys are public.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use model::{Invalid, Kind};
use prost::Message;
use proto::v1::SendResponse;
use proto::wire::RawSendRequest;
use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::send::send;
use crate::shared::Shared;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/protobuf";

/// The routes.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new().route("/v1/batches", post(batches)).with_state(shared)
}

/// A beacon cannot set headers, so its key is in the address.
#[derive(Deserialize)]
struct Asked {
    key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Protobuf,
}

async fn batches(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejected) => return refused(rejected.status(), "InvalidArgument", rejected.body_text()),
    };
    match answer(&shared, &asked, &headers, body).await {
        Ok(response) => response,
        Err(error) => {
            let (kind, code) = (error.kind(), proto::status::code(error.kind()));
            let status = StatusCode::from_u16(proto::status::http(kind));
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            refused(status, &format!("{code:?}"), error.to_string())
        }
    }
}

async fn answer(
    shared: &Arc<Shared>,
    asked: &Asked,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    let format = format(headers)?;
    let request = match format {
        Format::Json => proto::json::to_wire("SendRequest", &body)?.into(),
        Format::Protobuf => body,
    };
    let of_address = asked.key.as_ref().map(|key| format!("Bearer {key}").into_bytes());
    let of_header = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let sent = send(shared, &RawSendRequest(request), of_header.or(of_address.as_deref())).await?;
    Ok(written(format, &sent))
}

/// Beacons and forms of other sites can send text/plain without asking first: that is JSON too.
fn format(headers: &HeaderMap) -> Result<Format, Invalid> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or(JSON);
    match value.split(';').next().unwrap_or_default().trim() {
        JSON | "text/plain" => Ok(Format::Json),
        PROTOBUF | "application/x-protobuf" => Ok(Format::Protobuf),
        other => {
            Err(Invalid::new("content type", other, format!("{JSON}, text/plain (as JSON) or {PROTOBUF}")))
        }
    }
}

fn written(format: Format, sent: &SendResponse) -> Response {
    let wire = sent.encode_to_vec();
    match format {
        Format::Protobuf => ([(header::CONTENT_TYPE, PROTOBUF)], wire).into_response(),
        Format::Json => match proto::json::from_wire("SendResponse", &wire) {
            Some(json) => axum::Json(json).into_response(),
            None => refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("{:?}", proto::status::code(Kind::Internal)),
                "the hits are durable, but the answer could not be written".to_owned(),
            ),
        },
    }
}

fn refused(status: StatusCode, code: &str, error: String) -> Response {
    (status, axum::Json(json!({ "error": error, "code": code }))).into_response()
}
