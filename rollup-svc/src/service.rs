use std::{process, thread};

use anyhow::Context;
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::join_all;
use host::{Drains, Platform, Served, Service};
use model::Partition;
use tokio::runtime;
use tokio::sync::oneshot;

use crate::settings::Settings;
use crate::worker::Worker;

/// The rollup service: one worker for each partition.
pub struct Rollup;

#[async_trait]
impl Service for Rollup {
    type Settings = Settings;

    const NAME: &'static str = "rollup";
    const DRAINS: Drains = Drains::AfterServer;

    async fn start(platform: Platform, settings: Settings) -> anyhow::Result<Served> {
        let mut workers = Vec::new();
        let mut all_caught_up = Vec::new();
        for partition in (0..platform.log.partitions()).map(Partition) {
            let worker = Worker::begin(platform.clone(), settings.clone(), partition).await?;
            let (caught_up, once) = oneshot::channel();
            all_caught_up.push(once);
            workers.push(worker.run(move || {
                // Nobody waits any more when the host is being stopped.
                let _ = caught_up.send(());
            }));
        }
        // Threads of their own: folding a large record must not keep a thread from answering calls.
        let own = runtime::Builder::new_multi_thread()
            .thread_name("rollup")
            .enable_all()
            .build()
            .context("failed to start the threads of rollup")?;
        let running = platform.tasks.token();
        let all = move || {
            let ended = own.block_on(join_all(workers.into_iter().map(|worker| own.spawn(worker))));
            if ended.iter().any(Result::is_err) {
                // A partition that nobody folds would look like one without hits. The next start goes on exactly here.
                tracing::error!("a worker of rollup panicked: the process ends");
                process::abort();
            }
            drop(running);
        };
        thread::Builder::new().name("rollup".to_owned()).spawn(all).context("failed to start rollup")?;
        Ok(Served { ready: Some(join_all(all_caught_up).map(|_| ()).boxed()), ..Served::default() })
    }
}
