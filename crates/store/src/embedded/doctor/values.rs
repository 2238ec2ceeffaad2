use std::path::Path;

use fjall::Readable as _;

use super::super::Settings;
use super::super::engine::Engine;
use super::{Examined, Finding, Judge, Loss};
use crate::{Batch, Error, Pair, Result, Write};

/// Reads everything. Behind what cannot be read it goes on with the next family of keys.
pub(super) fn read_all(engine: &Engine, judge: &Judge<'_>, examined: &mut Examined) -> Result<()> {
    let view = engine.db.snapshot();
    for family in 0..=u8::MAX {
        let mut last = Vec::from([family]);
        for pair in view.prefix(&engine.cells, [family]) {
            match pair.into_inner() {
                Ok((key, value)) => {
                    examined.values += 1;
                    examined.bytes += (key.len() + value.len()) as u64;
                    if let Some(what) = judge(&key, &value) {
                        let place = format!("key {}", key.escape_ascii());
                        examined.findings.push(Finding { place, what, loss: Loss::Values });
                    }
                    last = key.to_vec();
                }
                Err(error) => match engine.failed("read", error) {
                    Error::Corrupt { what, .. } => {
                        let place = format!("behind key {}", last.escape_ascii());
                        examined.findings.push(Finding { place, what, loss: Loss::Values });
                        examined.kept &= !examined.keep.contains(&family);
                        break;
                    }
                    // A disk that fails to read may not fail the next time.
                    error => return Err(error),
                },
            }
        }
    }
    Ok(())
}

/// The values to keep.
pub(super) fn rescued(dir: &Path, families: &[u8]) -> Result<Vec<Pair>> {
    let engine = Engine::open(dir, Settings::default())?;
    let view = engine.db.snapshot();
    let mut kept = Vec::new();
    for family in families {
        for pair in view.prefix(&engine.cells, [*family]) {
            let (key, value) = pair.into_inner().map_err(|error| engine.failed("rescue", error))?;
            kept.push((key.to_vec().into(), value.to_vec().into()));
        }
    }
    Ok(kept)
}

/// Writes to a store that nobody uses, and makes it if there is none.
pub(super) fn write(dir: &Path, writes: &[Write]) -> Result<()> {
    let engine = Engine::open(dir, Settings::default())?;
    for writes in writes.chunks(1_000) {
        engine.commit(&Batch { writes: writes.to_vec(), ..Batch::durable() })?;
    }
    Ok(())
}
