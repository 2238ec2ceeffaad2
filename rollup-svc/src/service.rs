use async_trait::async_trait;
use futures::FutureExt;
use host::{Drains, Platform, Served, Service};

use crate::ownership::{Member, unless_panicked};
use crate::settings::Settings;

/// The rollup service: a member that folds its share of the partitions.
pub struct Rollup;

#[async_trait]
impl Service for Rollup {
    type Settings = Settings;

    const NAME: &'static str = "rollup";
    const DRAINS: Drains = Drains::AfterServer;

    async fn start(platform: Platform, settings: Settings) -> anyhow::Result<Served> {
        let tasks = platform.tasks.clone();
        let (member, ready) = Member::new(platform, settings)?;
        let running = tokio::spawn(member.run());
        tasks.spawn(async move {
            unless_panicked(running.await);
        });
        Ok(Served { ready: Some(ready.map(|_| ()).boxed()), ..Served::default() })
    }
}
