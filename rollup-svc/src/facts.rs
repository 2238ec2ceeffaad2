//! From a hit to what it counts under: its name, and the value of every dimension.

use std::borrow::Cow;

use keyspace::visitor::Facts;
use model::Dimension;
use proto::wire::{ContextRef, HitRef};

use crate::agent::Agents;

/// The value where nothing is known.
pub const NOT_SET: &str = "(not set)";
/// The value where there is known to be nothing: no referrer, no medium.
pub const NONE: &str = "(none)";
/// The source of a hit that no other site and no campaign led to.
pub const DIRECT: &str = "(direct)";

/// The values of all dimensions of a hit, in the order of [`Dimension::ALL`].
pub type Values<'a> = [Cow<'a, str>; Dimension::ALL.len()];

/// Works out the values of all dimensions.
pub fn values<'a>(
    hit: &HitRef<'a>,
    context: &ContextRef<'a>,
    data_stream: &'a str,
    agents: &'a mut Agents,
) -> Values<'a> {
    let page = match (hit.url, hit.screen) {
        ("", "") => NOT_SET,
        ("", screen) => screen,
        (url, _) => path(url),
    };
    let referrer_host = host(hit.referrer);
    let acquired = acquisition(hit.url, referrer_host.as_deref());
    let agent = agents.read(context.user_agent);
    [
        page.into(),
        hit.name.into(),
        acquired.source,
        acquired.medium,
        acquired.campaign,
        referrer_host.unwrap_or(NONE.into()),
        country(context.country),
        agent.device_class.into(),
        (&*agent.browser).into(),
        (&*agent.os).into(),
        or_not_set(context.language),
        data_stream.into(),
    ]
}

/// Packs the values, to be kept with a session.
pub fn pack(values: &Values<'_>) -> Facts {
    Facts::pack(values.iter().map(|value| value.as_bytes()))
}

fn or_not_set(text: &str) -> Cow<'_, str> {
    if text.is_empty() { NOT_SET.into() } else { text.into() }
}

fn country(code: &str) -> Cow<'_, str> {
    if code.bytes().any(|b| b.is_ascii_lowercase()) {
        code.to_ascii_uppercase().into()
    } else {
        or_not_set(code)
    }
}

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
fn path(url: &str) -> &str {
    let (_, rest) = after_authority(url);
    match &rest[..rest.find(['?', '#']).unwrap_or(rest.len())] {
        "" => "/",
        path => path,
    }
}

/// The host of an http address: lower case, without user and port.
fn host(url: &str) -> Option<Cow<'_, str>> {
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

struct Acquisition<'a> {
    source: Cow<'a, str>,
    medium: Cow<'a, str>,
    campaign: Cow<'a, str>,
}

/// Campaign parameters of the page's address first, then the referrer, if it is another site.
fn acquisition<'a>(url: &'a str, referrer_host: Option<&str>) -> Acquisition<'a> {
    let (mut source, mut medium, mut campaign) = (None, None, None);
    let query =
        url.split_once('?').map_or("", |(_, query)| query.split_once('#').map_or(query, |(query, _)| query));
    if query.contains("utm_") {
        for (name, value) in
            url::form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty())
        {
            match &*name {
                "utm_source" => source = Some(value),
                "utm_medium" => medium = Some(value),
                "utm_campaign" => campaign = Some(value),
                _ => {}
            }
        }
    }
    let tagged = source.is_some();
    let own_host = host(url);
    let other_site = referrer_host.filter(|referrer| own_host.as_deref() != Some(referrer));
    let referred = |text: &'static str| if !tagged && other_site.is_some() { "referral" } else { text };
    Acquisition {
        medium: medium.unwrap_or_else(|| if tagged { NOT_SET.into() } else { referred(NONE).into() }),
        source: source.unwrap_or_else(|| other_site.map_or(DIRECT.into(), |host| host.to_owned().into())),
        campaign: campaign.unwrap_or(NOT_SET.into()),
    }
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
    fn a_campaign_wins_over_the_referrer_and_the_own_site_is_no_source() {
        let of = |url, referrer: Option<&str>| {
            let found = acquisition(url, referrer);
            format!("{} / {} / {}", found.source, found.medium, found.campaign)
        };
        let tagged = "https://shop.example/?utm_source=News+Letter&utm_medium=e%2Dmail&utm_campaign=May";
        assert_eq!(of(tagged, Some("other.example")), "News Letter / e-mail / May");
        assert_eq!(of("https://shop.example/?utm_source=x", None), "x / (not set) / (not set)");
        assert_eq!(
            of("https://shop.example/", Some("other.example")),
            "other.example / referral / (not set)"
        );
        assert_eq!(of("https://shop.example/", Some("shop.example")), "(direct) / (none) / (not set)");
        assert_eq!(of("/bare", None), "(direct) / (none) / (not set)");
    }
}
