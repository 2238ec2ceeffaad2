//! In the place of `ledgers` in a build without Pulsar: says so.

use anyhow::bail;

use super::{Offload, Status};
use crate::cli::Global;

const ABSENT: &str = "this hitmill was built without Pulsar: build it with `--features cluster`";

pub(super) async fn status(_: Status, _: &Global) -> anyhow::Result<()> {
    bail!(ABSENT)
}

pub(super) async fn offload(_: Offload, _: &Global) -> anyhow::Result<()> {
    bail!(ABSENT)
}
