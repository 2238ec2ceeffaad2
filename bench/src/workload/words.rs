//! The texts that hits are made of.

/// Pages of each merchant.
pub(super) const PATHS: u32 = 500;
/// Hosts that visitors come from.
pub(super) const REFERRERS: u32 = 50;
/// Browsers.
pub(super) const USER_AGENTS: u32 = 40;
/// Combinations of source, medium and campaign.
pub(super) const CAMPAIGNS: u32 = (SOURCES.len() * MEDIUMS.len() * NAMES.len()) as u32;

pub(super) const LANGUAGES: [&str; 12] = [
    "en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "it-IT", "nl-NL", "pl-PL", "pt-BR", "ja-JP", "sv-SE",
    "tr-TR",
];

pub(super) const COUNTRIES: [&str; 60] = [
    "US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "BR", "JP", "SE", "TR", "CA", "AU", "AT", "CH", "BE",
    "DK", "NO", "FI", "IE", "PT", "GR", "CZ", "SK", "HU", "RO", "BG", "HR", "SI", "LT", "LV", "EE", "UA",
    "IL", "AE", "SA", "EG", "ZA", "NG", "KE", "MA", "IN", "PK", "BD", "LK", "CN", "HK", "TW", "KR", "SG",
    "MY", "TH", "VN", "ID", "PH", "NZ", "MX", "AR", "CL",
];

const SOURCES: [&str; 15] = [
    "google",
    "bing",
    "yahoo",
    "baidu",
    "meta",
    "tiktok",
    "x",
    "reddit",
    "mail",
    "pinterest",
    "youtube",
    "direct",
    "partner",
    "podcast",
    "qr",
];
const MEDIUMS: [&str; 6] = ["cpc", "organic", "social", "email", "display", "referral"];
const NAMES: [&str; 10] =
    ["spring", "summer", "autumn", "winter", "sale", "brand", "new", "vip", "outlet", "xmas"];

const SECTIONS: [&str; 10] =
    ["shoes", "shirts", "coats", "bags", "hats", "belts", "socks", "gifts", "sale", "new"];
const REFERRER_NAMES: [&str; 10] =
    ["google", "bing", "news", "forum", "blog", "social", "video", "deals", "review", "search"];
const REFERRER_ENDS: [&str; 5] = ["com", "org", "net", "de", "co.uk"];

/// Page `index` of any merchant.
pub(super) fn path(index: u32) -> String {
    format!("/{}/{}", SECTIONS[index as usize % SECTIONS.len()], index)
}

/// Query of combination `index` of source, medium and campaign.
pub(super) fn campaign(index: u32) -> String {
    let (rest, name) = (index as usize / NAMES.len(), index as usize % NAMES.len());
    let (source, medium) = (rest / MEDIUMS.len(), rest % MEDIUMS.len());
    format!(
        "?utm_source={}&utm_medium={}&utm_campaign={}",
        SOURCES[source % SOURCES.len()],
        MEDIUMS[medium],
        NAMES[name]
    )
}

/// Referrer `index`.
pub(super) fn referrer(index: u32) -> String {
    let (name, end) = (index as usize / REFERRER_ENDS.len(), index as usize % REFERRER_ENDS.len());
    format!("https://{}.{}/", REFERRER_NAMES[name % REFERRER_NAMES.len()], REFERRER_ENDS[end])
}

/// Browser `index`, in about 110 bytes.
pub(super) fn user_agent(index: u32) -> String {
    let version = 110 + index / 4;
    match index % 4 {
        0 => format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
        ),
        1 => format!(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{}.2 Safari/605.1.15",
            version - 97
        ),
        2 => format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            index / 4
        ),
        _ => format!(
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"
        ),
    }
}
