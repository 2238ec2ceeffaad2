use std::sync::Arc;

use clock::Clock;
use eventlog::embedded::doctor as logs;
use keyspace::config::counters::Counters;
use model::{Generation, MerchantId, Position};
use rollup_svc::rewind::{self, Place};
use store::embedded::{EmbeddedStore, doctor as stores};

use super::folded::{Folded, note_newest};
use super::seen::Seen;

/// A store that takes the place of the one that is there.
pub(super) struct Remade {
    pub(super) repaired: stores::Repaired,
    pub(super) opened: EmbeddedStore,
    /// Its identity, which is a new one if that was lost.
    pub(super) installation: Arc<str>,
    pub(super) folded: Folded,
    /// Merchants that have hits, and that it does not know.
    pub(super) unknown: Vec<MerchantId>,
    /// Version of its configuration: a later one was lost.
    pub(super) version: u64,
    /// Whether it has merchants and keys, if the old one had.
    pub(super) kept: bool,
    /// What is to be said of it when it is in its place.
    pub(super) said: Vec<String>,
}

impl Remade {
    /// Makes a store that can be read to its end. `before` and `seen` are of what there was.
    pub(super) async fn of(
        store: stores::Examined,
        before: &Folded,
        seen: &Seen,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let cut = store.findings.iter().any(|found| found.loss.is_of_commits());
        let kept = store.kept;
        let repaired = store.repair()?;
        let opened = repaired.open()?;
        let mut said = Vec::new();
        if let Some(values) = repaired.taken_over {
            said.push(match (values, repaired.later) {
                (0, 0) => "the store was made anew, without merchants, keys and data streams".to_owned(),
                (0, _) => "the store was made anew, with the configuration that its journals have".to_owned(),
                _ => format!("the store was made anew with the {values} values of its configuration"),
            });
            // No number of a generation that readers have seen may be given again.
            note_newest(&opened, before.newest.unwrap_or(Generation::FIRST)).await?;
        } else if cut {
            said.push("the store was cut back to what it was before the damage".to_owned());
        }
        if repaired.later > 0 && repaired.taken_over != Some(0) {
            said.push(format!(
                "{} later changes of values of merchants, keys and data streams were kept",
                repaired.later
            ));
        }
        let (Counters { version, .. }, _) = catalog::counters(&opened).await?;
        let known = Seen::known_to(&opened).await?;
        let unknown: Vec<_> = seen.unknown_to(&known).collect();
        if !unknown.is_empty() {
            let unknown = listed(&unknown);
            said.push(format!(
                "there are hits of {unknown}, which nobody knows any more; no id is given again"
            ));
        }
        let installation = settle(&opened, seen, &known, clock).await?;
        let folded = Folded::of(&opened).await?;
        Ok(Self { repaired, opened, installation, folded, unknown, version, kept, said })
    }

    /// Sends every partition to the start of the log, as `hitmill topic rewind` does.
    pub(super) async fn begin_again(&mut self, extents: Option<&[logs::Extent]>) -> anyhow::Result<()> {
        let Some(extents) = extents else {
            let line = "the log is not on this machine: run `hitmill topic rewind` when the server is up";
            self.said.push(line.to_owned());
            return Ok(());
        };
        let place = |extent: &logs::Extent| Place {
            partition: extent.partition,
            checkpoint: None,
            first: Position::of_entry(extent.records.start),
        };
        rewind::begin(&self.opened, &extents.iter().map(place).collect::<Vec<_>>()).await?;
        self.said.push("all of the log is folded again when the server starts".to_owned());
        Ok(())
    }
}

/// Makes sure that a store gives out no id anew, and has an identity, which it gives.
pub(super) async fn settle(
    store: &EmbeddedStore,
    seen: &Seen,
    known: &Seen,
    clock: &Clock,
) -> anyhow::Result<Arc<str>> {
    seen.reserve(known, store).await?;
    host::platform::identity(store, clock).await
}

/// Merchants, the first few by their ids.
pub(super) fn listed(merchants: &[MerchantId]) -> String {
    const SHOWN: usize = 10;
    let ids: Vec<_> = merchants.iter().take(SHOWN).map(|merchant| merchant.to_string()).collect();
    let more = merchants.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let word = if merchants.len() == 1 { "merchant" } else { "merchants" };
    format!("{word} {}{more}", ids.join(", "))
}
