use super::{ingest, query};
use crate::options::{Options, ScenarioName};
use crate::report::{Scenario, Storage};

/// All that is measured on the hits of 1,000 bytes: sending them, asking for them, keeping them.
pub(crate) async fn run(options: &Options, scenarios: &mut Vec<Scenario>) -> anyhow::Result<()> {
    let mut filled = ingest::fill(options, ingest::SHAPE_1K).await?;
    let mut others = Vec::new();
    // Before anything else is asked of it.
    let peak = filled.lab.peak_resident_bytes();
    if options.wants(ScenarioName::QueryWarm) {
        others.push(query::warm(options, &filled.lab).await?);
    }
    // Drained: all that belongs to the disk is there.
    filled.lab.stop().await?;
    if options.wants(ScenarioName::Storage) {
        others.extend(storage(&filled, peak)?);
    }
    if options.wants(ScenarioName::QueryCold) && filled.lab.is_own() {
        filled.lab.start().await?;
        others.push(query::cold(options, &filled.lab).await?);
        filled.lab.stop().await?;
    }
    if options.wants(ScenarioName::Ingest1k) {
        scenarios.push(filled.scenario);
    }
    scenarios.append(&mut others);
    Ok(())
}

fn storage(filled: &ingest::Filled, peak: Option<u64>) -> anyhow::Result<Option<Scenario>> {
    let Some((log_bytes, store_bytes)) = filled.lab.bytes_on_disk()? else { return Ok(None) };
    let (hits, merchant_hours) = (filled.tally.hits(), filled.tally.merchant_hours);
    let storage = Storage {
        log_bytes,
        log_bytes_per_hit: log_bytes as f64 / hits as f64,
        store_bytes,
        merchant_hours,
        store_bytes_per_merchant_hour: store_bytes as f64 / merchant_hours as f64,
        peak_resident_bytes: peak.unwrap_or_default(),
    };
    let name = ScenarioName::Storage.name();
    Ok(Some(Scenario { name, hits: Some(hits), storage: Some(storage), ..Scenario::default() }))
}
