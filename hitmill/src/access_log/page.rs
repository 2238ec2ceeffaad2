use super::request::Request;

/// Why a request that was answered is no page view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotPage {
    /// The request's first line is none.
    NoRequest,
    /// Any method but GET.
    Method,
    /// The visitor was sent elsewhere, and is counted there.
    Redirect,
    /// No page was shown.
    Error,
    /// A feed reader asked.
    Feed,
    /// A part of a page, a download, or a file for machines.
    Asset,
}

impl NotPage {
    /// What is left out for this reason.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRequest => "not_http",
            Self::Method => "other_methods",
            Self::Redirect => "redirects",
            Self::Error => "errors",
            Self::Feed => "feeds",
            Self::Asset => "assets",
        }
    }
}

/// What pages are called. Anything else behind a dot is an asset.
const PAGE_EXTENSIONS: [&str; 9] = ["html", "htm", "xhtml", "shtml", "php", "asp", "aspx", "jsp", "cgi"];
const FEED_EXTENSIONS: [&str; 4] = ["xml", "rss", "atom", "rdf"];
const FEED_NAMES: [&str; 4] = ["feed", "feeds", "rss", "atom"];
/// Parameters that ask for a page as a feed: WordPress, Blosxom, Joomla.
const FEED_PARAMETERS: [&str; 3] = ["feed", "flav", "format"];
/// RFC 8615: for machines.
const WELL_KNOWN: &str = "/.well-known/";
const EXTENSION_BYTES: usize = 10;

/// Whether a request and its answer are a page view. The rule is stated in docs/semantics.md.
pub(super) fn judge(request: Option<Request<'_>>, status: u16) -> Result<(), NotPage> {
    let request = request.ok_or(NotPage::NoRequest)?;
    if request.method != "GET" {
        return Err(NotPage::Method);
    }
    match status {
        // 304: the browser shows the page that it has.
        200..=299 | 304 => {}
        300..=399 => return Err(NotPage::Redirect),
        _ => return Err(NotPage::Error),
    }
    let path = request.path();
    let extension = extension(path).map(str::to_ascii_lowercase);
    let is = |list: &[&str]| extension.as_deref().is_some_and(|extension| list.contains(&extension));
    if is(&FEED_EXTENSIONS) || is_feed_name(path) || asks_for_feed(request.query()) {
        return Err(NotPage::Feed);
    }
    if path.starts_with(WELL_KNOWN) || (extension.is_some() && !is(&PAGE_EXTENSIONS)) {
        return Err(NotPage::Asset);
    }
    Ok(())
}

/// What follows the last dot of the last segment: 1 to 10 ASCII letters and digits, one of them a letter. So
/// `/docs/2.0` has none.
fn extension(path: &str) -> Option<&str> {
    let segment = path.rsplit('/').next()?;
    let (_, extension) = segment.rsplit_once('.')?;
    let is_one = (1..=EXTENSION_BYTES).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && extension.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_one.then_some(extension)
}

fn is_feed_name(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let segment = path.rsplit('/').next().unwrap_or_default();
    FEED_NAMES.iter().any(|name| segment.eq_ignore_ascii_case(name))
}

fn asks_for_feed(query: &str) -> bool {
    query.split('&').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        let value = value.to_ascii_lowercase();
        FEED_PARAMETERS.contains(&name) && (value.starts_with("rss") || value.starts_with("atom"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, status: u16, expected: Result<(), NotPage>) {
        assert_eq!(judge(Request::parse(request), status), expected, "{request} {status}");
    }

    #[test]
    fn pages() {
        for target in [
            "/",
            "/about",
            "/about/",
            "/a.HTML",
            "/x.php?id=1",
            "/docs/2.0",
            "/blog/2015.05/",
            "/node.js/",
            "/a.b%20c",
            "/?page=2",
            "/?format=print",
            "/feedback",
            "/feed/1",
            "http://example.com/",
        ] {
            check(&format!("GET {target} HTTP/1.1"), 200, Ok(()));
        }
        for status in [200, 206, 299, 304] {
            check("GET / HTTP/1.1", status, Ok(()));
        }
    }

    #[test]
    fn everything_else() {
        for target in
            ["/a.png", "/a/b.min.JS", "/favicon.ico", "/robots.txt", "/x.tar.gz", "/x.7z", "/.well-known/x"]
        {
            check(&format!("GET {target} HTTP/1.1"), 200, Err(NotPage::Asset));
        }
        for target in
            ["/feed", "/blog/Feed/", "/atom.xml", "/index.rdf", "/?flav=rss20", "/?a=b&feed=atom", "/rss?x"]
        {
            check(&format!("GET {target} HTTP/1.1"), 200, Err(NotPage::Feed));
        }
        for method in ["HEAD", "POST", "OPTIONS"] {
            check(&format!("{method} / HTTP/1.1"), 200, Err(NotPage::Method));
        }
        for status in [300, 301, 302, 307] {
            check("GET / HTTP/1.1", status, Err(NotPage::Redirect));
        }
        for status in [0, 101, 403, 404, 416, 500, 999] {
            check("GET / HTTP/1.1", status, Err(NotPage::Error));
        }
        check("-", 408, Err(NotPage::NoRequest));
    }
}
