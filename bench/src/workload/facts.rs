use super::{Workload, words};
use crate::random::{Random, Zipf, mix};

/// What happened in one hit: indexes into the texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// What.
    pub(super) name: Name,
    /// On which page.
    pub(super) path: u32,
    /// Coming from where.
    pub(super) referrer: u32,
    /// By which combination of source, medium and campaign.
    pub(super) campaign: u32,
    /// For how much.
    pub(super) micros: i64,
    /// Where in the pool of letters its filler begins.
    pub(super) filler: u64,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// 80 of 100.
    PageView,
    /// 12 of 100.
    AddToCart,
    /// 3 of 100.
    Purchase,
    /// 5 of 100.
    Scroll,
}

impl Name {
    /// Its name in the hit.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::PageView => "page_view",
            Self::AddToCart => "add_to_cart",
            Self::Purchase => "purchase",
            Self::Scroll => "scroll",
        }
    }
}

/// What a client is for as long as it lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    /// Its browser.
    pub(super) user_agent: u32,
    /// Its language.
    pub(super) language: u32,
    /// Where it is.
    pub(super) country: u32,
}

/// Draws facts.
#[derive(Clone, Debug)]
pub(super) struct Draws {
    random: Random,
    merchants: Zipf,
    paths: Zipf,
    seed: u64,
    clients: u32,
}

const ZIPF: f64 = 1.1;

impl Draws {
    /// The draws of a workload.
    pub(super) fn new(workload: &Workload) -> Self {
        Self {
            random: Random::new(workload.seed),
            merchants: Zipf::new(workload.merchants, ZIPF),
            paths: Zipf::new(words::PATHS, ZIPF),
            seed: workload.seed,
            clients: workload.clients,
        }
    }

    /// Whose hits come next.
    pub(super) fn merchant(&mut self) -> u32 {
        self.merchants.draw(&mut self.random)
    }

    /// Who sends them.
    pub(super) fn client(&mut self) -> u32 {
        self.random.below(self.clients)
    }

    /// What a client is.
    pub(super) fn device(&self, client: u32) -> Device {
        let mut own = Random::new(mix(self.seed ^ u64::from(client)));
        Device {
            user_agent: own.below(words::USER_AGENTS),
            language: own.below(words::LANGUAGES.len() as u32),
            country: own.below(words::COUNTRIES.len() as u32),
        }
    }

    /// What happens next.
    pub(super) fn facts(&mut self) -> Facts {
        let name = match self.random.below(100) {
            0..80 => Name::PageView,
            80..92 => Name::AddToCart,
            92..95 => Name::Purchase,
            _ => Name::Scroll,
        };
        // 1.00 to 200.99, in whole cents.
        let cents = if name == Name::Purchase { 100 + self.random.below(20_000) } else { 0 };
        Facts {
            name,
            path: self.paths.draw(&mut self.random),
            referrer: self.random.below(words::REFERRERS),
            campaign: self.random.below(words::CAMPAIGNS),
            micros: i64::from(cents) * 10_000,
            filler: self.random.next(),
        }
    }
}
