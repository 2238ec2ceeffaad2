use std::time::Instant;

use hitmill_sdk::ClientBatch;

use super::courier::Courier;
use super::rejects::Rejects;
use super::report::Report;
use super::state::State;
use hitmill::access_log::{Batches, Counting, Line, Untaken, take};

/// An import in its course: takes one line after the other.
pub(super) struct Importer {
    counting: Counting,
    batches: Batches,
    courier: Courier,
    rejects: Rejects,
    state: State,
    report: Report,
    /// The log is settled up to this line once all hits so far are.
    through: u64,
}

impl Importer {
    /// Goes on where `state` says.
    pub(super) fn new(counting: Counting, courier: Courier, rejects: Rejects, state: State) -> Self {
        let (client_id, line) = (state.client_id().to_owned(), state.line());
        Self {
            counting,
            batches: Batches::new(client_id.clone(), line),
            courier,
            rejects,
            state,
            report: Report { client_id, lines_settled_before: line, ..Report::default() },
            through: line,
        }
    }

    /// Takes the next line.
    pub(super) async fn line(&mut self, line: Line<'_>) -> anyhow::Result<()> {
        self.report.lines = line.number;
        if line.number <= self.report.lines_settled_before {
            return Ok(());
        }
        let hit = match take(line, self.counting) {
            Ok(hit) => hit,
            Err(reason) => return self.untaken(line, &reason),
        };
        self.through = line.number;
        match self.batches.push(line.number, hit) {
            Some(batch) => self.send(batch).await,
            None => Ok(()),
        }
    }

    /// Sends what is left, and waits until the server has answered for everything.
    pub(super) async fn finish(mut self) -> anyhow::Result<Report> {
        if let Some(batch) = self.batches.rest() {
            self.send(batch).await?;
        }
        self.courier.finish().await?;
        self.rejects.flush()?;
        self.state.settled(self.courier.settled().unwrap_or(0), Instant::now());
        if let Err(error) = self.state.write() {
            eprintln!(
                "how far the import came could not be written, so the next one starts at the beginning: {error}"
            );
        }
        let (refused, refused_first) = self.courier.refused();
        Ok(Report {
            accepted: self.courier.accepted(),
            refused,
            refused_first: refused_first.to_vec(),
            unreadable: self.rejects.count(),
            unreadable_first: self.rejects.first().to_vec(),
            rejects: self.rejects.path().cloned(),
            ..self.report
        })
    }

    fn untaken(&mut self, line: Line<'_>, reason: &Untaken) -> anyhow::Result<()> {
        match reason {
            // A hit is for ever, so the next import looks at the line again.
            Untaken::Unended => self.report.unended += 1,
            Untaken::Unreadable(reason) => self.rejects.add(line, reason)?,
            Untaken::LeftOut(reason) => *self.report.left_out.entry(reason.name()).or_default() += 1,
        }
        Ok(())
    }

    async fn send(&mut self, batch: ClientBatch) -> anyhow::Result<()> {
        self.courier.send(batch, self.through).await?;
        if let Some(line) = self.courier.settled()
            && self.state.settled(line, Instant::now())
        {
            // Lines that were left out are in the file before the state says that they are done with.
            self.rejects.flush()?;
            // It is tried again, and told at the end.
            let _ = self.state.write();
        }
        Ok(())
    }
}
