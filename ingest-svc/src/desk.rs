use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Where a stream hears what became of the parcels that it gave to the log. One for each stream: many reports wake it
/// once.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    reports: Mutex<Vec<Report>>,
    bell: Notify,
}

/// What became of one parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The number of the frame that it was of.
    pub(crate) frame: u64,
    /// Whether it is durable; if not, it may be in the log or not.
    pub(crate) durable: bool,
}

/// The duty to report on one parcel. One that is lost on the way reports that nothing is known.
#[derive(Debug)]
pub(crate) struct Ticket {
    desk: Arc<Desk>,
    report: Report,
}

impl Desk {
    /// A ticket for a parcel of this frame.
    pub(crate) fn ticket(self: &Arc<Self>, frame: u64) -> Ticket {
        Ticket { desk: Arc::clone(self), report: Report { frame, durable: false } }
    }

    /// Waits until there are reports.
    pub(crate) async fn bell(&self) {
        self.bell.notified().await;
    }

    /// Takes all reports that came.
    pub(crate) fn take(&self) -> Vec<Report> {
        std::mem::take(&mut self.reports.lock())
    }
}

impl Ticket {
    /// The parcel is durable.
    pub(crate) fn durable(mut self) {
        self.report.durable = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.desk.reports.lock().push(self.report);
        self.desk.bell.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lost_ticket_reports_too() {
        let desk = Arc::new(Desk::default());
        desk.ticket(1).durable();
        drop(desk.ticket(2));
        desk.bell().await;
        let reports = [(1, true), (2, false)].map(|(frame, durable)| Report { frame, durable });
        assert_eq!(desk.take(), reports);
        assert_eq!(desk.take(), []);
    }
}
