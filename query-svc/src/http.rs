//! `GET /v1/merchants/{id}/query`: the same query in words, as JSON or CSV.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use model::{Invalid, MerchantId};
use serde::Serialize;
use url::form_urlencoded;

use crate::text::Words;
use crate::{Error, Query, Result, Zone, render};

const PARAMETERS: &str = "metrics, by, granularity, from, to, last, time_zone, filter (as often as needed), where, order, limit, format";

/// The routes of the service.
pub(crate) fn routes(query: Query) -> Router {
    Router::new().route("/v1/merchants/{id}/query", get(answer)).with_state(query)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

async fn answer(
    State(query): State<Query>,
    Path(id): Path<String>,
    RawQuery(parameters): RawQuery,
    headers: HeaderMap,
) -> Response {
    match respond(&query, &id, parameters.as_deref().unwrap_or_default(), &headers).await {
        Ok((Format::Json, body)) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Ok((Format::Csv, body)) => {
            ([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], body).into_response()
        }
        Err(error) => refusal(&error),
    }
}

async fn respond(query: &Query, id: &str, parameters: &str, headers: &HeaderMap) -> Result<(Format, String)> {
    let merchant: MerchantId = id.parse()?;
    query.authorize(headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()), merchant).await?;
    let (words, format) = read(parameters, headers)?;
    let request = words.request(merchant, &query.merchant(merchant)?.time_zone, query.now())?;
    let zone = Zone::named(&request.time_zone)?;
    let answer = query.answer(&request).await?;
    let body = match format {
        Format::Json => render::json(&answer, &zone).map_err(|why| Error::corrupt("an answer", why))? + "\n",
        Format::Csv => render::csv(&answer, &zone).map_err(|why| Error::corrupt("an answer", why))?,
    };
    Ok((format, body))
}

fn read(parameters: &str, headers: &HeaderMap) -> Result<(Words, Format)> {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut format = if accepted.contains("text/csv") { Format::Csv } else { Format::Json };
    let mut words = Words::default();
    for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
        let field = match &*name {
            "metrics" => &mut words.metrics,
            "by" => &mut words.by,
            "granularity" => &mut words.granularity,
            "from" => &mut words.from,
            "to" => &mut words.to,
            "last" => &mut words.last,
            "time_zone" => &mut words.time_zone,
            "order" => &mut words.order,
            "limit" => &mut words.limit,
            "where" => &mut words.condition,
            "filter" => {
                words.filters.push(value.into_owned());
                continue;
            }
            "format" => {
                format = match &*value {
                    "json" => Format::Json,
                    "csv" => Format::Csv,
                    _ => return Err(Invalid::new("format", value, "json or csv").into()),
                };
                continue;
            }
            _ => return Err(Invalid::new("parameter", name, PARAMETERS).into()),
        };
        *field = value.into_owned();
    }
    Ok((words, format))
}

#[derive(Serialize)]
struct Refusal {
    error: String,
}

fn refusal(error: &Error) -> Response {
    let status = StatusCode::from_u16(proto::status::http(error.kind()));
    let body = axum::Json(Refusal { error: error.message() });
    (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response()
}
