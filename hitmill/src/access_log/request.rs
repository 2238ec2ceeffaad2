/// The first line of a request, if it is one: `GET /path?query HTTP/1.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    /// What to do: `GET`, `HEAD`, `POST`, ...
    pub(super) method: &'a str,
    /// With what, as it came: a path with its query, or a whole address.
    pub(super) target: &'a str,
}

impl<'a> Request<'a> {
    /// Reads the line. A target may have spaces in it; HTTP/0.9 has no protocol at its end.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (method, rest) = line.split_once(' ')?;
        let target = match rest.rsplit_once(' ') {
            Some((target, protocol)) if protocol.starts_with("HTTP/") => target,
            _ => rest,
        };
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        let is_target = target.starts_with('/') || target.contains("://") || target == "*";
        (is_method && is_target).then_some(Self { method, target })
    }

    /// The path, without scheme, host, query and fragment.
    pub(super) fn path(&self) -> &'a str {
        let end = self.target.find(['?', '#']).unwrap_or(self.target.len());
        let target = &self.target[..end];
        match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("/", |start| &rest[start..]),
            _ => target,
        }
    }

    /// The query, without its question mark; empty if there is none.
    pub(super) fn query(&self) -> &'a str {
        let target = self.target.split('#').next().unwrap_or_default();
        target.split_once('?').map_or("", |(_, query)| query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_rubbish() {
        let cases = [
            ("GET / HTTP/1.1", Some(("GET", "/", ""))),
            ("GET /a?b=c?d#e HTTP/1.0", Some(("GET", "/a", "b=c?d"))),
            ("GET /a#b?c HTTP/1.0", Some(("GET", "/a", ""))),
            ("GET /a b HTTP/1.1", Some(("GET", "/a b", ""))),
            ("GET /old", Some(("GET", "/old", ""))),
            ("GET http://example.com HTTP/1.1", Some(("GET", "/", ""))),
            ("GET http://example.com/a/?b HTTP/1.1", Some(("GET", "/a/", "b"))),
            ("GET /to/http://example.com/a HTTP/1.1", Some(("GET", "/to/http://example.com/a", ""))),
            ("OPTIONS * HTTP/1.1", Some(("OPTIONS", "*", ""))),
            ("", None),
            ("-", None),
            ("GET", None),
            ("get / HTTP/1.1", None),
            ("\u{16}\u{3}\u{1} /", None),
            ("CONNECT example.com:443 HTTP/1.1", None),
        ];
        for (line, expected) in cases {
            let request = Request::parse(line);
            assert_eq!(request.as_ref().map(|r| (r.method, r.path(), r.query())), expected, "{line:?}");
        }
    }
}
