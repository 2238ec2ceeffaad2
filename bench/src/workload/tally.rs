/// What the server must count of one merchant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All hits.
    pub hits: u64,
    /// Those named `page_view`.
    pub page_views: u64,
    /// Those named `purchase`.
    pub purchases: u64,
    /// What the purchases were worth, in millionths of a euro.
    pub revenue_micros: i64,
}

/// What the server must count, by merchant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the order of the merchants.
    pub merchants: Vec<Counts>,
    /// Hours of merchants in which there are hits.
    pub merchant_hours: u64,
    /// Of each merchant the hour of its last hit.
    last_hours: Vec<i64>,
}

const HOUR_MS: i64 = 3_600_000;

impl Tally {
    /// Nothing yet of so many merchants.
    pub fn new(merchants: u32) -> Self {
        let merchants = merchants as usize;
        Self {
            merchants: vec![Counts::default(); merchants],
            merchant_hours: 0,
            last_hours: vec![i64::MIN; merchants],
        }
    }

    /// A hit of a merchant, none of whose hits was later.
    pub(super) fn count(&mut self, merchant: u32, time_ms: i64, hit: &Counts) {
        let counts = &mut self.merchants[merchant as usize];
        counts.hits += hit.hits;
        counts.page_views += hit.page_views;
        counts.purchases += hit.purchases;
        counts.revenue_micros += hit.revenue_micros;
        let (hour, last) = (time_ms.div_euclid(HOUR_MS), &mut self.last_hours[merchant as usize]);
        self.merchant_hours += u64::from(hour != *last);
        *last = hour;
    }

    /// Hits of all merchants.
    pub fn hits(&self) -> u64 {
        self.merchants.iter().map(|counts| counts.hits).sum()
    }
}
