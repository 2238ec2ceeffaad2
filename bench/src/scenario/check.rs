use std::time::{Duration, Instant};

use anyhow::bail;
use futures::{StreamExt, TryStreamExt, stream};

use crate::ask::Asker;
use crate::lab::Lab;
use crate::workload::{Counts, Tally};

/// What the server must say of its merchants.
pub(crate) struct Expected<'a> {
    /// Of each account, what was sent.
    pub(crate) tally: &'a Tally,
    /// When hits may have happened, in milliseconds since 1970.
    pub(crate) range: (i64, i64),
    /// Until when the answers must be complete.
    pub(crate) complete_until_ms: i64,
}

/// Queries under way.
const AT_ONCE: usize = 8;
/// Between two looks at the largest merchant: looking costs processor time that is counted.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until every merchant's numbers are complete, and fails unless they are those of the tally.
pub(crate) async fn wait_until_complete(lab: &Lab, expected: &Expected<'_>) -> anyhow::Result<()> {
    let mut asker = lab.asker().await?;
    let started = Instant::now();
    let merchants = expected.tally.merchants.iter().enumerate();
    // First the largest merchant alone, then all, and again if one of another partition is later.
    let mut late = merchants.max_by_key(|(_, counts)| counts.hits).map(|(merchant, _)| merchant);
    while let Some(merchant) = late {
        while !is_complete(&mut asker, lab, expected, merchant).await? {
            if started.elapsed() > PATIENCE {
                let id = lab.accounts[merchant].merchant;
                bail!("merchant {id} is not complete after {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
        late = first_late(&asker, lab, expected).await?;
    }
    Ok(())
}

/// A merchant that is not complete.
async fn first_late(asker: &Asker, lab: &Lab, expected: &Expected<'_>) -> anyhow::Result<Option<usize>> {
    let merchants = 0..expected.tally.merchants.len();
    let asked = stream::iter(merchants).map(|merchant| {
        let mut asker = asker.clone();
        async move {
            Ok::<_, anyhow::Error>(
                (!is_complete(&mut asker, lab, expected, merchant).await?).then_some(merchant),
            )
        }
    });
    asked.buffer_unordered(AT_ONCE).try_fold(None, |late, found| async move { Ok(late.or(found)) }).await
}

async fn is_complete(
    asker: &mut Asker,
    lab: &Lab,
    expected: &Expected<'_>,
    merchant: usize,
) -> anyhow::Result<bool> {
    let (id, sent) = (lab.accounts[merchant].merchant, expected.tally.merchants[merchant]);
    // Nothing was sent, and nobody folded for it: there is nothing to wait for.
    if sent == Counts::default() {
        return Ok(true);
    }
    let (counted, complete_until) = asker.counts(id, expected.range).await?;
    if complete_until < expected.complete_until_ms {
        return Ok(false);
    }
    if counted != sent {
        bail!(
            "merchant {id} was sent {sent:?}, but the server counts {counted:?} and says that this is complete"
        );
    }
    Ok(true)
}
