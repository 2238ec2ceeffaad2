use std::borrow::Cow;

use model::Dimension;

use super::address::{host, query, same_site};
use super::{DIRECT, NONE, NOT_SET};

/// Dimensions of where a visit came from, in the order in which facts hold them.
pub const ACQUISITION: [Dimension; 8] = [
    Dimension::Source,
    Dimension::Medium,
    Dimension::Campaign,
    Dimension::Term,
    Dimension::Content,
    Dimension::ClickId,
    Dimension::ReferrerHost,
    Dimension::Channel,
];

/// Where a hit came from, as its own addresses say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acquisition<'a> {
    /// utm_source, else what the click id says, else the referrer's host, else `(direct)`.
    pub source: Cow<'a, str>,
    /// utm_medium, else what the click id says, else `referral`, else `(none)`.
    pub medium: Cow<'a, str>,
    /// utm_campaign.
    pub campaign: Cow<'a, str>,
    /// utm_term.
    pub term: Cow<'a, str>,
    /// utm_content.
    pub content: Cow<'a, str>,
    /// Name of the parameter that an advertising network put into the address.
    pub click_id: &'static str,
    /// Host of the referrer, if it is another site.
    pub referrer_host: Cow<'a, str>,
}

/// Parameters by which advertising networks know a click again, and whose click it was where no campaign says so.
const CLICK_IDS: [(&str, Option<(&str, &str)>); 9] = [
    ("gclid", Some(("google", "cpc"))),
    ("gbraid", Some(("google", "cpc"))),
    ("wbraid", Some(("google", "cpc"))),
    ("dclid", Some(("google", "display"))),
    ("msclkid", Some(("bing", "cpc"))),
    // These are on links that nobody paid for, too.
    ("fbclid", None),
    ("ttclid", None),
    ("twclid", None),
    ("li_fat_id", None),
];

impl<'a> Acquisition<'a> {
    /// Of a hit without addresses.
    pub fn direct() -> Self {
        Self {
            source: DIRECT.into(),
            medium: NONE.into(),
            campaign: NOT_SET.into(),
            term: NOT_SET.into(),
            content: NOT_SET.into(),
            click_id: NOT_SET,
            referrer_host: NONE.into(),
        }
    }

    /// Campaign parameters of the page's address first, then the click id, then the referrer, if it is another site.
    pub fn of(url: &'a str, referrer: &'a str) -> Self {
        let tags = Tags::of(query(url));
        let own_host = host(url);
        let other_site =
            host(referrer).filter(|referrer| own_host.as_deref().is_none_or(|own| !same_site(own, referrer)));
        let click_id = tags.click_id.map(|at| CLICK_IDS[at]);
        let clicked = click_id.and_then(|(_, of)| of);
        let (source, medium) = match (tags.source, clicked, &other_site) {
            (Some(source), ..) => (source, NOT_SET),
            (None, Some((source, medium)), _) => (source.into(), medium),
            (None, None, Some(host)) => (host.clone(), "referral"),
            (None, None, None) => (DIRECT.into(), NONE),
        };
        let or_not_set = |tag: Option<Cow<'a, str>>| tag.unwrap_or(NOT_SET.into());
        Self {
            source,
            medium: tags.medium.unwrap_or(medium.into()),
            campaign: or_not_set(tags.campaign),
            term: or_not_set(tags.term),
            content: or_not_set(tags.content),
            click_id: click_id.map_or(NOT_SET, |(name, _)| name),
            referrer_host: other_site.unwrap_or(NONE.into()),
        }
    }

    /// The values that are known before the channel is, in the order of [`ACQUISITION`].
    pub fn values(&self) -> [&str; ACQUISITION.len() - 1] {
        [
            &self.source,
            &self.medium,
            &self.campaign,
            &self.term,
            &self.content,
            self.click_id,
            &self.referrer_host,
        ]
    }
}

/// What the query of an address says of the way to it.
#[derive(Default)]
struct Tags<'a> {
    source: Option<Cow<'a, str>>,
    medium: Option<Cow<'a, str>>,
    campaign: Option<Cow<'a, str>>,
    term: Option<Cow<'a, str>>,
    content: Option<Cow<'a, str>>,
    /// Its place in [`CLICK_IDS`].
    click_id: Option<usize>,
}

impl<'a> Tags<'a> {
    fn of(query: &'a str) -> Self {
        let mut tags = Self::default();
        // Most addresses have none, and taking all parameters apart is dear.
        let may_have = query.contains("utm_") || CLICK_IDS.iter().any(|(name, _)| query.contains(name));
        // A name can be written with escapes.
        if !may_have && !query.contains('%') {
            return tags;
        }
        let set = |tag: &mut Option<Cow<'a, str>>, value| {
            tag.get_or_insert(value);
        };
        for (name, value) in
            url::form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty())
        {
            match &*name {
                "utm_source" => set(&mut tags.source, value),
                "utm_medium" => set(&mut tags.medium, value),
                "utm_campaign" => set(&mut tags.campaign, value),
                "utm_term" => set(&mut tags.term, value),
                "utm_content" => set(&mut tags.content, value),
                name => {
                    // Of several the one that comes first in the list: who paid is named before who did not.
                    let known = CLICK_IDS.iter().position(|(id, _)| *id == name);
                    tags.click_id = tags.click_id.into_iter().chain(known).min();
                }
            }
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, referrer: &str) -> String {
        let found = Acquisition::of(url, referrer);
        format!("{} / {} / {}", found.source, found.medium, found.campaign)
    }

    #[test]
    fn a_campaign_wins_over_the_referrer_and_the_own_site_is_no_source() {
        let tagged = "https://shop.example/?utm_source=News+Letter&utm_medium=e%2Dmail&utm_campaign=May";
        assert_eq!(of(tagged, "https://other.example/x"), "News Letter / e-mail / May");
        assert_eq!(of("https://shop.example/?utm_source=x", ""), "x / (not set) / (not set)");
        let other = "https://other.example/x";
        assert_eq!(of("https://shop.example/", other), "other.example / referral / (not set)");
        assert_eq!(of("https://shop.example/?utm_campaign=May", other), "other.example / referral / May");
        for own in ["https://shop.example/x", "http://www.shop.example"] {
            assert_eq!(of("https://shop.example/", own), "(direct) / (none) / (not set)");
        }
        assert_eq!(of("/?utm%5Fsource=x", ""), "x / (not set) / (not set)");
        assert_eq!(of("/bare", ""), "(direct) / (none) / (not set)");
    }

    #[test]
    fn a_click_that_was_paid_for_says_so() {
        assert_eq!(of("/?gclid=x", "https://www.google.com/"), "google / cpc / (not set)");
        assert_eq!(of("/?msclkid=x", ""), "bing / cpc / (not set)");
        assert_eq!(of("/?dclid=x", ""), "google / display / (not set)");
        assert_eq!(of("/?gclid=x&utm_source=own&utm_medium=ad", ""), "own / ad / (not set)");
        // Facebook puts its id on every link.
        assert_eq!(of("/?fbclid=x", "https://l.facebook.com/"), "l.facebook.com / referral / (not set)");
        assert_eq!(Acquisition::of("/?fbclid=x", "").click_id, "fbclid");
        assert_eq!(Acquisition::of("/?gclid=", "").click_id, NOT_SET);
        assert_eq!(of("/?fbclid=x&gclid=y", ""), "google / cpc / (not set)");
    }

    #[test]
    fn the_first_of_several_parameters_counts() {
        let url = "/?utm_term=a&utm_content=b&utm_term=c";
        let found = Acquisition::of(url, "");
        assert_eq!((&*found.term, &*found.content), ("a", "b"));
    }
}
