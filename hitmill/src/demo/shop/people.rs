use crate::demo::dice::Dice;

/// Somebody with a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// What the browser's profile is known by.
    pub(crate) client_id: String,
    /// The browser.
    pub(crate) user_agent: &'static str,
    /// Its language.
    pub(crate) language: &'static str,
    /// Where it is.
    pub(crate) country: &'static str,
}

/// What led somebody to the shop.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lead {
    pub(super) referrer: &'static str,
    pub(super) campaign: &'static str,
}

impl Person {
    /// Somebody who was never here.
    pub(super) fn new(dice: &mut Dice) -> Self {
        let (language, country) = *dice.weighted(&PLACES);
        Self {
            client_id: format!("demo-{:016x}", dice.roll()),
            user_agent: *dice.weighted::<&str>(&BROWSERS),
            language,
            country,
        }
    }
}

impl Lead {
    /// What leads somebody to the shop, by chance.
    pub(super) fn any(dice: &mut Dice) -> &'static Self {
        dice.weighted(&LEADS)
    }
}

static PLACES: [(u32, (&str, &str)); 12] = [
    (30, ("de-DE", "DE")),
    (12, ("en-GB", "GB")),
    (10, ("nl-NL", "NL")),
    (9, ("de-AT", "AT")),
    (8, ("fr-FR", "FR")),
    (7, ("de-CH", "CH")),
    (6, ("da-DK", "DK")),
    (5, ("sv-SE", "SE")),
    (4, ("nb-NO", "NO")),
    (4, ("it-IT", "IT")),
    (3, ("pl-PL", "PL")),
    (2, ("en-US", "US")),
];

/// From each hundred visits: searches 38, nothing 27, the newsletter 12, other sites the rest.
static LEADS: [(u32, Lead); 11] = [
    (31, lead("https://www.google.com/")),
    (4, lead("https://www.bing.com/")),
    (3, lead("https://duckduckgo.com/")),
    (27, lead("")),
    (8, campaign("utm_source=newsletter&utm_medium=email&utm_campaign=autumn-sale")),
    (4, campaign("utm_source=newsletter&utm_medium=email&utm_campaign=new-tents")),
    (7, campaign("utm_source=google&utm_medium=cpc&utm_campaign=jackets")),
    (6, lead("https://www.instagram.com/")),
    (5, lead("https://www.reddit.com/")),
    (3, lead("https://l.facebook.com/")),
    (2, lead("https://www.youtube.com/")),
];

const fn lead(referrer: &'static str) -> Lead {
    Lead { referrer, campaign: "" }
}

const fn campaign(campaign: &'static str) -> Lead {
    Lead { referrer: "", campaign }
}

static BROWSERS: [(u32, &str); 12] = [
    (
        22,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    ),
    (
        20,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    ),
    (
        18,
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    ),
    (
        8,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    ),
    (
        7,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    ),
    (6, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"),
    (
        6,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
    ),
    (4, "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"),
    (3, "Mozilla/5.0 (Android 15; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0"),
    (
        3,
        "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    ),
    (
        2,
        "Mozilla/5.0 (Linux; Android 15; SAMSUNG SM-S928B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    ),
    (1, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
];
