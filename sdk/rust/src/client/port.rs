use std::sync::Arc;
use std::time::Duration;

use proto::v1::{Codec, Setup};
use tokio::sync::Notify;

use crate::core::client::ClientCore;
use crate::core::{Core as _, Event, Step};
use crate::disk::Disk;
use crate::driver::Port;
use crate::shared::Shared;
use crate::wire::{self, Outbound};
use crate::world::{Dice, World};

/// A client, as the driver sees it.
#[derive(Debug)]
pub(crate) struct ClientPort {
    shared: Arc<Shared<ClientCore>>,
    world: Arc<dyn World>,
    setup: Setup,
    disk: Option<Disk>,
    codec: Codec,
    dice: Dice,
}

impl ClientPort {
    pub(crate) fn new(
        shared: Arc<Shared<ClientCore>>,
        world: Arc<dyn World>,
        setup: Setup,
        disk: Option<Disk>,
        codec: Codec,
    ) -> Self {
        let dice = Dice::new(world.random());
        Self { shared, world, setup, disk, codec, dice }
    }
}

impl Port for ClientPort {
    fn setup(&self) -> Setup {
        self.setup.clone()
    }

    fn wake(&self) -> Arc<Notify> {
        self.shared.notify()
    }

    async fn store(&mut self, now: Duration) {
        let Some(journal) = self.shared.lock().core.journal(now) else { return };
        let Some(mut disk) = self.disk.take() else { return };
        let waits = disk.waits();
        let write = move || {
            let result = disk.apply(&journal).map_err(|error| error.to_string());
            (disk, journal, result)
        };
        // On a thread that may wait: the disk's hiccups are not those of the caller's run time.
        let written = if waits { tokio::task::spawn_blocking(write).await } else { Ok(write()) };
        match written {
            Ok((disk, journal, result)) => {
                self.disk = Some(disk);
                self.shared.lock().core.journaled(now, &journal, result);
            }
            // The run time is being shut down.
            Err(_) => self.shared.lock().core.stop(),
        }
    }

    fn poll(&mut self, _now: Duration, room: bool) -> Step<Outbound> {
        match self.shared.step(room, self.dice.roll()) {
            Step::Send(batch) => Step::Send(Outbound::Batches {
                batches: vec![wire::batch(&batch, self.codec)],
                sent_at_ms: Some(self.world.now_ms()),
            }),
            Step::Connect => Step::Connect,
            Step::HangUp => Step::HangUp,
            Step::Wait(until) => Step::Wait(until),
            Step::Stop => Step::Stop,
        }
    }

    fn event(&mut self, now: Duration, event: Event) {
        let random = self.dice.roll();
        self.shared.lock().core.event(now, event, random);
    }
}
