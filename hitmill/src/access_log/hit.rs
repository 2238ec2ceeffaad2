use std::borrow::Cow;

use model::{limits, stable_hash};
use proto::v1::param::Value;
use proto::v1::{Context, Hit, Param};

use super::entry::Entry;
use super::page::{self, NotPage};
use super::request::Request;

/// Which entries become hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Page views, named `page_view`.
    Pages,
    /// Every entry, named `request`.
    All,
}

impl Counting {
    /// Its name within a client id.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pages => "page",
            Self::All => "all",
        }
    }
}

/// The hit that an entry is counted as, or why it is not counted. Texts longer than a hit may have are cut.
pub(super) fn hit(entry: &Entry<'_>, counting: Counting) -> Result<Hit, NotPage> {
    let request = Request::parse(&entry.request);
    let (name, params) = match counting {
        Counting::Pages => {
            page::judge(request, entry.status)?;
            ("page_view", Vec::new())
        }
        Counting::All => ("request", params(entry, request)),
    };
    Ok(Hit {
        name: name.to_owned(),
        time_ms: entry.time.0,
        url: request.map_or_else(String::new, |request| cut(&url(entry, request))),
        referrer: entry.referrer.as_deref().map_or_else(String::new, cut),
        params,
        context: Some(Context {
            visitor_id: visitor(entry),
            user_agent: entry.user_agent.as_deref().map_or_else(String::new, cut),
            ..Context::default()
        }),
        ..Hit::default()
    })
}

/// As it was asked for; with the host in front if the log has it.
fn url<'a>(entry: &Entry<'a>, request: Request<'a>) -> Cow<'a, str> {
    match entry.virtual_host.and_then(|host| host.rsplit_once(':')) {
        Some((host, port)) if request.target.starts_with('/') => {
            let scheme = if port == "443" { "https" } else { "http" };
            Cow::Owned(format!("{scheme}://{host}{}", request.target))
        }
        _ => Cow::Borrowed(request.target),
    }
}

/// Stands for address and user agent together. The address itself is never sent.
fn visitor(entry: &Entry<'_>) -> String {
    let user_agent = entry.user_agent.as_deref().unwrap_or_default();
    format!("{:016x}", stable_hash(format!("{}\0{user_agent}", entry.address).as_bytes()))
}

fn params(entry: &Entry<'_>, request: Option<Request<'_>>) -> Vec<Param> {
    let method = request.map(|request| ("method", Value::Text(request.method.to_owned())));
    let bytes = entry.bytes.map(|bytes| ("bytes", Value::Integer(i64::try_from(bytes).unwrap_or(i64::MAX))));
    [method, Some(("status", Value::Integer(entry.status.into()))), bytes]
        .into_iter()
        .flatten()
        .map(|(name, value)| Param { name: name.to_owned(), value: Some(value) })
        .collect()
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(limits::TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "http://e.com/" "Moz""#;

    fn of(line: &str, counting: Counting) -> Result<Hit, NotPage> {
        hit(&Entry::parse(line.as_bytes()).unwrap(), counting)
    }

    #[test]
    fn a_page_view() {
        let hit = of(LINE, Counting::Pages).unwrap();
        assert_eq!((hit.name.as_str(), hit.time_ms), ("page_view", 1_431_857_103_000));
        assert_eq!((hit.url.as_str(), hit.referrer.as_str()), ("/a?b", "http://e.com/"));
        assert!(hit.params.is_empty());
        let context = hit.context.unwrap();
        assert_eq!(context.user_agent, "Moz");
        assert_eq!(context.visitor_id, format!("{:016x}", stable_hash(b"192.0.2.7\0Moz")));
    }

    #[test]
    fn a_visitor_is_address_and_user_agent_together() {
        let visitor = |line: &str| of(line, Counting::Pages).unwrap().context.unwrap().visitor_id;
        assert_eq!(visitor(LINE), visitor(&LINE.replace("/a?b", "/c")));
        assert_ne!(visitor(LINE), visitor(&LINE.replace("192.0.2.7", "192.0.2.8")));
        assert_ne!(visitor(LINE), visitor(&LINE.replace("Moz", "-")));
        // Without the border both would be the same text.
        assert_ne!(visitor(&LINE.replace("Moz", "1Moz")), visitor(&LINE.replace("192.0.2.7", "192.0.2.71")));
    }

    #[test]
    fn all_takes_what_is_no_page() {
        let line = LINE.replace("GET /a?b", "HEAD /x.png").replace("200 5", "404 -");
        assert_eq!(of(&line, Counting::Pages), Err(NotPage::Method));
        let hit = of(&line, Counting::All).unwrap();
        let params: Vec<_> = hit.params.into_iter().map(|p| (p.name, p.value.unwrap())).collect();
        let expected =
            [("method".to_owned(), Value::Text("HEAD".into())), ("status".to_owned(), Value::Integer(404))];
        assert_eq!((hit.name.as_str(), params.as_slice()), ("request", expected.as_slice()));

        let rubbish = of(&LINE.replace("GET /a?b HTTP/1.1", "-"), Counting::All).unwrap();
        assert_eq!((rubbish.name.as_str(), rubbish.url.as_str()), ("request", ""));
    }

    #[test]
    fn a_virtual_host_makes_the_address_whole() {
        let url = |host: &str| of(&format!("{host} {LINE}"), Counting::Pages).unwrap().url;
        assert_eq!(url("shop.example:443"), "https://shop.example/a?b");
        assert_eq!(url("shop.example:80"), "http://shop.example/a?b");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let hit = of(&LINE.replace("Moz", &"ä".repeat(1_025)), Counting::Pages).unwrap();
        assert_eq!(hit.context.unwrap().user_agent, "ä".repeat(1_024));
        let hit = of(&LINE.replace("Moz", &format!("x{}", "ä".repeat(1_025))), Counting::Pages).unwrap();
        assert_eq!(hit.context.unwrap().user_agent.len(), 2_047);
    }
}
