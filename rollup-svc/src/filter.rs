//! Which hits the rules of a merchant leave out of the cells, and why.

use std::borrow::Cow;

use rules::Compiled;
use rules::expr::Field;

/// What filters look at.
pub struct Seen<'a, F> {
    /// Whether its user agent is known as a bot.
    pub bot: bool,
    /// Host of the page, if it has one.
    pub hostname: Option<&'a str>,
    /// Values of the hit.
    pub field: &'a F,
}

/// Why a hit is left out, if it is: the first reason that holds.
pub fn reason<'v>(
    rules: &Compiled,
    seen: &Seen<'_, impl Fn(&Field) -> Option<&'v str>>,
) -> Option<Cow<'static, str>> {
    let filters = &rules.rules.filters;
    if filters.bots && seen.bot {
        return Some("bot".into());
    }
    if let Some(host) = seen.hostname.filter(|_| !filters.hostnames.is_empty())
        && !filters.hostnames.iter().any(|allowed| is_of(host, allowed))
    {
        return Some("hostname".into());
    }
    let excluded = filters.exclude.iter().find(|named| named.when.holds(seen.field));
    excluded.map(|named| format!("rule: {}", named.name).into())
}

/// Whether a host is the one that is named, or below it if the name begins with `*.`.
fn is_of(host: &str, named: &str) -> bool {
    match named.strip_prefix("*.") {
        Some(parent) => host.strip_suffix(parent).is_some_and(|below| below.ends_with('.')),
        None => host == named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_all_hosts_below() {
        assert!(is_of("shop.example", "shop.example") && is_of("www.shop.example", "*.shop.example"));
        assert!(!is_of("shop.example", "*.shop.example") && !is_of("myshop.example", "*.shop.example"));
        assert!(!is_of("www.shop.example", "shop.example"));
    }
}
