use std::borrow::Cow;

/// What follows the authority of an address; all of it, if there is none.
fn after_authority(url: &str) -> (&str, &str) {
    match url.split_once("://") {
        // An address in the query of a bare path is no scheme of it.
        Some((scheme, rest)) if !scheme.contains(['/', '?', '#']) => {
            rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
        }
        _ => ("", url),
    }
}

/// The path of an address or of a bare path, without query and fragment, as the client wrote it.
pub fn path(url: &str) -> &str {
    let (_, rest) = after_authority(url);
    match &rest[..rest.find(['?', '#']).unwrap_or(rest.len())] {
        "" => "/",
        path => path,
    }
}

/// The query of an address, without the question mark and the fragment.
pub(super) fn query(url: &str) -> &str {
    let before_fragment = url.split_once('#').map_or(url, |(before, _)| before);
    before_fragment.split_once('?').map_or("", |(_, query)| query)
}

/// The host of an http address: lower case, without user and port.
pub fn host(url: &str) -> Option<Cow<'_, str>> {
    let (scheme, _) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let (authority, _) = after_authority(url);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.split_once(']') {
        Some((v6, _)) => v6.strip_prefix('[').unwrap_or(v6),
        None => host.split_once(':').map_or(host, |(host, _)| host),
    };
    match host {
        "" => None,
        host if host.bytes().any(|b| b.is_ascii_uppercase()) => Some(host.to_ascii_lowercase().into()),
        host => Some(host.into()),
    }
}

/// Whether two hosts are the same site: as they are, or but for a leading `www.`.
pub(super) fn same_site(one: &str, other: &str) -> bool {
    let bare = |host: &'_ str| -> usize { if host.starts_with("www.") { 4 } else { 0 } };
    one[bare(one)..] == other[bare(other)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_page() {
        for (url, page) in [
            ("https://shop.example/a/b?x=1#top", "/a/b"),
            ("https://shop.example", "/"),
            ("https://shop.example?x=/y", "/"),
            ("/bare/path?q", "/bare/path"),
            ("/redirect?to=http://other/x", "/redirect"),
            ("", "/"),
        ] {
            assert_eq!(path(url), page, "{url}");
        }
    }

    #[test]
    fn the_query_ends_at_the_fragment() {
        assert_eq!(query("/a?x=1&y#z?w"), "x=1&y");
        assert_eq!((query("/a#b?c"), query("/a")), ("", ""));
    }

    #[test]
    fn hosts_of_addresses() {
        for (url, expected) in [
            ("http://Www.Google.com:80/search?q=a@b", Some("www.google.com")),
            ("https://user:secret@host.example/x", Some("host.example")),
            ("http://[2001:db8::1]:8080/", Some("2001:db8::1")),
            ("android-app://com.google.android.gm", None),
            ("-", None),
            ("http://", None),
            ("", None),
        ] {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_site_is_the_same_with_www() {
        assert!(same_site("www.shop.example", "shop.example") && same_site("shop.example", "shop.example"));
        assert!(!same_site("m.shop.example", "shop.example"));
    }
}
