//! GA4's default channel groups (support.google.com/analytics/answer/9756891), as a table that is tried from its top: the first
//! rule of which one alternative holds names the channel. Beside Google's there is one for AI assistants, before organic search.
//! Comparisons take no notice of capitals.
//!
//! A table never changes once numbers were made with it: another one gets the next version.

mod sources;

pub use sources::Kind;

/// Version of the table.
pub const VERSION: u32 = 1;

/// Where a visit came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquired<'a> {
    /// The source; `(direct)` if there is none.
    pub source: &'a str,
    /// The medium; `(none)` or `(not set)` if there is none.
    pub medium: &'a str,
    /// The campaign.
    pub campaign: &'a str,
    /// Name of the parameter of an advertising network, if the address has one.
    pub click_id: &'a str,
}

/// What is asked of an acquisition.
#[derive(Clone, Copy, Debug)]
enum Is {
    /// There is no source.
    Direct,
    /// The source is of a kind.
    Of(Kind),
    /// Somebody paid for the click: the medium matches `^(.*cp.*|ppc|retargeting|paid.*)$`, or the click id says so.
    Paid,
    /// The campaign matches `^(.*(([^a-df-z]|^)shop|shopping).*)$`: `shop` within a word does not count but in `eshop`.
    ShopCampaign,
    /// The campaign contains this.
    Campaign(&'static str),
    /// The medium is one of these.
    Medium(&'static [&'static str]),
    /// The medium contains this.
    MediumContains(&'static str),
    /// The medium ends with this.
    MediumEnds(&'static str),
    /// The source is one of these.
    Source(&'static [&'static str]),
    /// The address has this click id.
    ClickId(&'static str),
}

const EMAIL: &[&str] = &["email", "e-mail", "e_mail", "e mail"];
const SOCIAL: &[&str] = &["social", "social-network", "social-media", "sm", "social network", "social media"];
const DISPLAY: &[&str] = &["display", "banner", "expandable", "interstitial", "cpm"];

/// Each channel with its alternatives, in each of which all has to hold.
const TABLE: &[(&str, &[&[Is]])] = &[
    ("Direct", &[&[Is::Direct]]),
    ("Cross-network", &[&[Is::Campaign("cross-network")]]),
    ("Paid Shopping", &[&[Is::Of(Kind::Shopping), Is::Paid], &[Is::ShopCampaign, Is::Paid]]),
    ("Paid Search", &[&[Is::Of(Kind::Search), Is::Paid]]),
    ("Paid Social", &[&[Is::Of(Kind::Social), Is::Paid]]),
    ("Paid Video", &[&[Is::Of(Kind::Video), Is::Paid]]),
    ("Display", &[&[Is::Medium(DISPLAY)], &[Is::ClickId("dclid")]]),
    ("Paid Other", &[&[Is::Paid]]),
    ("Organic Shopping", &[&[Is::Of(Kind::Shopping)], &[Is::ShopCampaign]]),
    ("Organic Social", &[&[Is::Of(Kind::Social)], &[Is::Medium(SOCIAL)]]),
    ("Organic Video", &[&[Is::Of(Kind::Video)], &[Is::MediumContains("video")]]),
    ("AI Assistants", &[&[Is::Of(Kind::Ai)]]),
    ("Organic Search", &[&[Is::Of(Kind::Search)], &[Is::Medium(&["organic"])]]),
    ("Referral", &[&[Is::Medium(&["referral", "app", "link"])]]),
    ("Email", &[&[Is::Source(EMAIL)], &[Is::Medium(EMAIL)]]),
    ("Affiliates", &[&[Is::Medium(&["affiliate"])]]),
    ("Audio", &[&[Is::Medium(&["audio"])]]),
    ("SMS", &[&[Is::Source(&["sms"])], &[Is::Medium(&["sms"])]]),
    (
        "Mobile Push Notifications",
        &[
            &[Is::MediumEnds("push")],
            &[Is::MediumContains("mobile")],
            &[Is::MediumContains("notification")],
            &[Is::Source(&["firebase"])],
        ],
    ),
];
/// What no rule names.
const UNASSIGNED: &str = "Unassigned";

/// The channel of an acquisition.
pub fn of(acquired: &Acquired<'_>) -> &'static str {
    let [source, medium, campaign] =
        [acquired.source, acquired.medium, acquired.campaign].map(str::to_ascii_lowercase);
    let kind = sources::kind(&source);
    let seen =
        Seen { source: &source, medium: &medium, campaign: &campaign, click_id: acquired.click_id, kind };
    let holds = |(_, alternatives): &&(&str, &[&[Is]])| {
        alternatives.iter().any(|all| all.iter().all(|is| seen.is(is)))
    };
    TABLE.iter().find(holds).map_or(UNASSIGNED, |(channel, _)| channel)
}

struct Seen<'a> {
    source: &'a str,
    medium: &'a str,
    campaign: &'a str,
    click_id: &'a str,
    kind: Option<Kind>,
}

impl Seen<'_> {
    fn is(&self, is: &Is) -> bool {
        match is {
            Is::Direct => self.source == "(direct)" && matches!(self.medium, "(none)" | "(not set)"),
            Is::Of(kind) => self.kind == Some(*kind),
            Is::Paid => {
                let named = ["ppc", "retargeting"].contains(&self.medium);
                let clicked = ["gclid", "gbraid", "wbraid", "msclkid"].contains(&self.click_id);
                named || clicked || self.medium.contains("cp") || self.medium.starts_with("paid")
            }
            Is::ShopCampaign => is_of_a_shop(self.campaign),
            Is::Campaign(part) => self.campaign.contains(part),
            Is::Medium(all) => all.contains(&self.medium),
            Is::MediumContains(part) => self.medium.contains(part),
            Is::MediumEnds(end) => self.medium.ends_with(end),
            Is::Source(all) => all.contains(&self.source),
            Is::ClickId(name) => self.click_id == *name,
        }
    }
}

fn is_of_a_shop(campaign: &str) -> bool {
    let before = |at: usize| campaign[..at].chars().next_back();
    let mut shops = campaign.match_indices("shop");
    campaign.contains("shopping")
        || shops.any(|(at, _)| before(at).is_none_or(|char| !matches!(char, 'a'..='d' | 'f'..='z')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source, medium, campaign, click id; and the channel by Google's words.
    const GOLDEN: &[(&str, &str, &str, &str, &str)] = &[
        ("(direct)", "(none)", "", "", "Direct"),
        ("(direct)", "(not set)", "", "", "Direct"),
        ("(direct)", "email", "", "", "Email"),
        // A campaign's name comes before everything but Direct.
        ("google", "cpc", "Summer Cross-Network", "", "Cross-network"),
        ("(direct)", "(none)", "cross-network", "", "Direct"),
        ("amazon", "cpc", "", "", "Paid Shopping"),
        ("www.amazon.co.uk", "paid", "", "", "Paid Shopping"),
        ("google", "cpc", "shop sale", "", "Paid Shopping"),
        ("google", "cpc", "spring shopping", "", "Paid Shopping"),
        ("google", "cpc", "eshop", "", "Paid Shopping"),
        // `shop` within a word is none, but after an e.
        ("google", "cpc", "workshop", "", "Paid Search"),
        ("google", "cpc", "bishops", "", "Paid Search"),
        ("google", "cpc", "", "", "Paid Search"),
        ("GOOGLE", "CPC", "", "", "Paid Search"),
        ("www.google.de", "ppc", "", "", "Paid Search"),
        ("bing", "paidsearch", "", "", "Paid Search"),
        ("google", "(not set)", "", "gclid", "Paid Search"),
        ("bing.com", "referral", "", "msclkid", "Paid Search"),
        // cpm matches .*cp.*: with a search engine it is paid search, before Display.
        ("google", "cpm", "", "", "Paid Search"),
        ("facebook", "cpm", "", "", "Paid Social"),
        ("facebook", "paid_social", "", "", "Paid Social"),
        ("ig", "retargeting", "", "", "Paid Social"),
        ("youtube.com", "cpv-cp", "", "", "Paid Video"),
        ("youtube", "paid", "", "", "Paid Video"),
        ("news.example", "cpm", "", "", "Display"),
        ("news.example", "banner", "", "", "Display"),
        ("google", "display", "", "dclid", "Display"),
        ("google", "display", "", "", "Display"),
        ("news.example", "interstitial", "", "", "Display"),
        ("news.example", "cpa", "", "", "Paid Other"),
        // The trap of .*cp.*.
        ("news.example", "mcpherson", "", "", "Paid Other"),
        ("ebay.de", "referral", "", "", "Organic Shopping"),
        ("newsletter", "link", "autumn shopping", "", "Organic Shopping"),
        ("m.facebook.com", "referral", "", "", "Organic Social"),
        ("t.co", "referral", "", "fbclid", "Organic Social"),
        ("anything", "social-media", "", "", "Organic Social"),
        ("anything", "sm", "", "", "Organic Social"),
        ("www.youtube.com", "referral", "", "", "Organic Video"),
        ("anything", "explainer-video", "", "", "Organic Video"),
        ("chatgpt.com", "(not set)", "", "", "AI Assistants"),
        ("gemini.google.com", "referral", "", "", "AI Assistants"),
        ("www.perplexity.ai", "referral", "", "", "AI Assistants"),
        ("chatgpt.com", "cpc", "", "", "Paid Other"),
        ("www.google.com", "referral", "", "", "Organic Search"),
        ("duckduckgo.com", "referral", "", "", "Organic Search"),
        ("anything", "organic", "", "", "Organic Search"),
        // A part of a search engine's site that is none, and a host that only looks like one.
        ("mail.google.com", "referral", "", "", "Referral"),
        ("notgoogle.com", "referral", "", "", "Referral"),
        ("google.evil.example.com", "referral", "", "", "Referral"),
        ("other.example", "referral", "", "", "Referral"),
        ("app", "app", "", "", "Referral"),
        ("newsletter", "e mail", "", "", "Email"),
        ("e_mail", "(not set)", "", "", "Email"),
        ("partner", "affiliate", "", "", "Affiliates"),
        ("podcast", "audio", "", "", "Audio"),
        ("sms", "(not set)", "", "", "SMS"),
        ("shop", "sms", "", "", "SMS"),
        ("app", "webpush", "", "", "Mobile Push Notifications"),
        ("app", "mobile-app", "", "", "Mobile Push Notifications"),
        ("app", "notification-a", "", "", "Mobile Push Notifications"),
        ("firebase", "(not set)", "", "", "Mobile Push Notifications"),
        ("somewhere", "(not set)", "", "", "Unassigned"),
        ("somewhere", "flyer", "", "", "Unassigned"),
    ];

    #[test]
    fn channels_are_those_of_googles_rules() {
        for (source, medium, campaign, click_id, channel) in GOLDEN {
            let acquired = Acquired { source, medium, campaign, click_id };
            assert_eq!(of(&acquired), *channel, "{acquired:?}");
        }
    }

    #[test]
    fn every_rule_has_a_golden_case() {
        for (channel, _) in TABLE {
            assert!(GOLDEN.iter().any(|(.., expected)| expected == channel), "{channel}");
        }
        assert_eq!(TABLE.len(), 19, "Google's 18, which Unassigned follows, and AI Assistants");
    }
}
