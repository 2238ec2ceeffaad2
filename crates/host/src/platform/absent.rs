//! In the place of `distant` in a build without the back ends of many machines: says so.

use std::sync::Arc;

use anyhow::bail;
use clock::Clock;
use eventlog::EventLog;
use store::Store;

use super::Platform;
use crate::Feed;

const PULSAR: &str =
    "pulsar.url is set, but this hitmill was built without Pulsar: build it with `--features cluster`";
const TIKV: &str =
    "tikv.endpoints is set, but this hitmill was built without TiKV: build it with `--features cluster`";

pub(super) async fn log(_: &eventlog::pulsar::Settings) -> anyhow::Result<Arc<dyn EventLog>> {
    bail!(PULSAR)
}

pub(super) async fn store(_: &store::tikv::Settings) -> anyhow::Result<Arc<dyn Store>> {
    bail!(TIKV)
}

pub(super) async fn feed(_: &eventlog::pulsar::Settings) -> anyhow::Result<Feed> {
    bail!(PULSAR)
}

pub(super) async fn platform(
    _: &Arc<dyn EventLog>,
    _: &Arc<dyn Store>,
    _: &Clock,
    _: &Feed,
) -> anyhow::Result<Platform> {
    bail!(PULSAR)
}
