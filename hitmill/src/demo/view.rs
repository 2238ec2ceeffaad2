use std::time::Duration;

use super::live::Live;
use super::traffic::Figures;

/// Everything that the table shows at an instant.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// How long the demo has been running.
    pub(crate) running: Duration,
    /// Distinct visitors of the last five minutes.
    pub(crate) visitors_now: u64,
    /// Of today.
    pub(crate) today: Sums,
    /// Of this hour.
    pub(crate) hour: Sums,
    /// Page views by minute, the present one last.
    pub(crate) minutes: Vec<u64>,
    /// Pages of today with views and visitors, the most viewed first.
    pub(crate) pages: Vec<(String, Vec<u64>)>,
    /// Sources of today with sessions, the largest first.
    pub(crate) sources: Vec<(String, Vec<u64>)>,
    /// How the sending goes.
    pub(crate) figures: Figures,
    /// What is wrong, if anything is.
    pub(crate) trouble: Option<String>,
}

/// What a shop counts.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// Page views.
    pub(crate) page_views: u64,
    /// Purchases.
    pub(crate) purchases: u64,
    /// What they were worth, in millionths of a euro.
    pub(crate) revenue: i64,
}

impl View {
    /// What there is to show now.
    pub(super) fn of(live: &Live, figures: Figures, running: Duration) -> Self {
        let sums = |answer: &super::live::Answer| Sums {
            page_views: answer.count(0),
            purchases: answer.count(1),
            revenue: answer.micros(2),
        };
        let interrupted = live.today.borrow().interrupted.clone();
        Self {
            running,
            visitors_now: live.now.borrow().count(0),
            today: sums(&live.today.borrow()),
            hour: sums(&live.hour.borrow()),
            minutes: live.minutes.borrow().series(),
            pages: live.pages.borrow().ranking(),
            sources: live.sources.borrow().ranking(),
            trouble: figures.trouble.clone().or(interrupted),
            figures,
        }
    }
}
