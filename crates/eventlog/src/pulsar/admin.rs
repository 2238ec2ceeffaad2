//! The brokers' admin interface, over HTTP.

use std::io;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Settings;
use crate::{Error, Result};

/// Asks any broker; it sends us on to the one that knows.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    http: reqwest::Client,
    base: String,
    limit: Duration,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It is made.
    Changed,
    /// It was made before, or something is in its way.
    Conflict,
}

impl Admin {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let limit = Duration::from_millis(settings.timeout_ms);
        let base = format!("{}/admin/v2", settings.admin_url.trim_end_matches('/'));
        let http = reqwest::Client::builder()
            .timeout(limit)
            .build()
            .map_err(|why| failed("ask", &base, io::Error::other(why)))?;
        Ok(Self { http, base, limit })
    }

    /// What is at a path, or none if nothing is there.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        path: &str,
    ) -> Result<Option<T>> {
        let (status, body) = self.ask(doing, Method::GET, path, None).await?;
        self.found(doing, path, status, &body)
    }

    /// What is at a path, or none, also if the brokers know no such things at all and say so.
    pub(super) async fn get_if_known<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        path: &str,
    ) -> Result<Option<T>> {
        match self.ask(doing, Method::GET, path, None).await? {
            (StatusCode::METHOD_NOT_ALLOWED, _) => Ok(None),
            (status, body) => self.found(doing, path, status, &body),
        }
    }

    /// What is at a path, without a second try.
    pub(super) async fn get_once<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        path: &str,
    ) -> Result<Option<T>> {
        let (status, body) = self.ask_once(doing, Method::GET, path, None).await?;
        self.found(doing, path, status, &body)
    }

    /// Makes a change.
    pub(super) async fn change(
        &self,
        doing: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Done> {
        let (status, said) = self.ask(doing, method, path, body).await?;
        match status {
            StatusCode::CONFLICT => Ok(Done::Conflict),
            _ if status.is_success() => Ok(Done::Changed),
            _ => Err(self.refused(doing, path, status, &said)),
        }
    }

    /// Asks until there is an answer: a broker that starts, or hands a topic to another one, has none for some seconds.
    async fn ask(
        &self,
        doing: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Vec<u8>)> {
        const PAUSE: Duration = Duration::from_millis(200);
        let deadline = Instant::now() + self.limit;
        loop {
            match self.ask_once(doing, method.clone(), path, body).await {
                Err(_) if Instant::now() + PAUSE < deadline => tokio::time::sleep(PAUSE).await,
                result => return result,
            }
        }
    }

    async fn ask_once(
        &self,
        doing: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Vec<u8>)> {
        let mut request = self.http.request(method, self.place(path));
        if let Some(body) = body {
            request = request.json(body);
        }
        match answer(request).await {
            Ok((status, body)) if passes(status) => Err(self.refused(doing, path, status, &body)),
            Ok(answer) => Ok(answer),
            Err(why) => Err(failed(doing, &self.place(path), io::Error::other(causes(&why)))),
        }
    }

    fn found<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        path: &str,
        status: StatusCode,
        body: &[u8],
    ) -> Result<Option<T>> {
        match status {
            StatusCode::NOT_FOUND | StatusCode::NO_CONTENT => Ok(None),
            _ if status.is_success() && body.is_empty() => Ok(None),
            _ if status.is_success() => serde_json::from_slice(body).map(Some).map_err(|why| {
                failed(doing, &self.place(path), io::Error::new(io::ErrorKind::InvalidData, why))
            }),
            _ => Err(self.refused(doing, path, status, body)),
        }
    }

    fn refused(&self, doing: &'static str, path: &str, status: StatusCode, body: &[u8]) -> Error {
        const SHOWN: usize = 300;
        let said: String = String::from_utf8_lossy(body).chars().take(SHOWN).collect();
        let (place, why) = (self.place(path), format!("the broker answers {status} {said}"));
        match lasts(status) {
            true => Error::Mismatch { what: format!("failed to {doing} {place}: {why}") },
            false => failed(doing, &place, io::Error::other(why)),
        }
    }

    fn place(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

/// Whether the same question may have an answer in a moment.
fn passes(status: StatusCode) -> bool {
    // A precondition fails, among others, as long as no broker owns what was asked for.
    const PASSING: [StatusCode; 3] =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::PRECONDITION_FAILED, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || PASSING.contains(&status)
}

/// Whether the answer will be the same until an operator changes something.
fn lasts(status: StatusCode) -> bool {
    // What is not there, or in the way, may be so because of what others are doing.
    status.is_client_error()
        && !passes(status)
        && ![StatusCode::NOT_FOUND, StatusCode::CONFLICT].contains(&status)
}

async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<(StatusCode, Vec<u8>)> {
    let response = request.send().await?;
    let status = response.status();
    Ok((status, response.bytes().await?.to_vec()))
}

/// An error and what is behind it: "error sending request" alone helps nobody.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

pub(super) fn failed(doing: &'static str, place: &str, why: io::Error) -> Error {
    Error::Io { doing, place: place.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use model::Kind;

    use super::super::fake;
    use super::*;

    #[tokio::test]
    async fn what_waiting_does_not_mend_is_told_apart() {
        let settings = fake::serve(|asked, _| {
            let status = asked.rsplit('/').next().unwrap().parse().unwrap();
            (status, r#""said""#.to_owned())
        });
        let admin = Admin::new(&settings.await).unwrap();
        for (status, kind) in [
            (400, Kind::Invalid),
            (401, Kind::Invalid),
            (403, Kind::Invalid),
            (405, Kind::Invalid),
            (409, Kind::Unavailable),
            (412, Kind::Unavailable),
            (429, Kind::Unavailable),
            (500, Kind::Unavailable),
            (503, Kind::Unavailable),
        ] {
            let refused = admin.get::<Value>("read", &format!("it/{status}")).await.unwrap_err();
            assert_eq!(refused.kind(), kind, "{status}: {refused}");
            let text = refused.to_string();
            assert!(text.contains(&format!("/admin/v2/it/{status}: the broker answers {status}")), "{text}");
        }
        assert_eq!(admin.get::<String>("read", "it/404").await.unwrap(), None);
        assert_eq!(admin.get::<String>("read", "it/200").await.unwrap(), Some("said".to_owned()));
        assert_eq!(admin.get_if_known::<String>("read", "it/405").await.unwrap(), None);
        let refused = admin.get_if_known::<String>("read", "it/403").await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Invalid);
        assert_eq!(admin.change("make", Method::PUT, "it/409", None).await.unwrap(), Done::Conflict);
    }
}
