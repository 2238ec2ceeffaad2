use std::sync::Arc;
use std::time::Duration;

use proto::v1::{Lane, Refused, Setup};
use tokio::sync::{Notify, Semaphore};

use super::{FrameAck, Refusal};
use crate::core::sender::{SenderCore, Settled};
use crate::core::{Event, Step};
use crate::driver::Port;
use crate::shared::Shared;
use crate::wire::Outbound;
use crate::world::{Dice, World};

pub(super) type OnRefused = Box<dyn FnMut(Refusal) + Send>;
pub(super) type OnAck = Box<dyn FnMut(FrameAck) + Send>;

/// A sender, as the driver sees it.
pub(super) struct SenderPort {
    shared: Arc<Shared<SenderCore>>,
    world: Arc<dyn World>,
    memory: Arc<Semaphore>,
    setup: Setup,
    on_refused: OnRefused,
    on_ack: OnAck,
    dice: Dice,
}

impl SenderPort {
    pub(super) fn new(
        shared: Arc<Shared<SenderCore>>,
        world: Arc<dyn World>,
        memory: Arc<Semaphore>,
        setup: Setup,
        on_refused: OnRefused,
        on_ack: OnAck,
    ) -> Self {
        let dice = Dice::new(world.random());
        Self { shared, world, memory, setup, on_refused, on_ack, dice }
    }

    fn report(&mut self, settled: Vec<Settled>, refused: Vec<Refused>) {
        for refused in refused {
            let reason = refused.reason();
            let Refused { client_id, epoch, seq, message, hits, .. } = refused;
            (self.on_refused)(Refusal { client_id, epoch, seq, hits, reason, message });
        }
        for Settled { hits, bytes, sent, acked, .. } in settled {
            self.memory.add_permits(bytes);
            let at = |time| (self.shared.start() + time).into_std();
            (self.on_ack)(FrameAck { hits, bytes, sent: at(sent), acked: at(acked) });
        }
    }
}

impl Port for SenderPort {
    fn setup(&self) -> Setup {
        self.setup.clone()
    }

    fn wake(&self) -> Arc<Notify> {
        self.shared.notify()
    }

    async fn store(&mut self, _now: Duration) {
        // The caller has the source of what is sent.
    }

    fn poll(&mut self, _now: Duration, room: bool) -> Step<Outbound> {
        match self.shared.step(room, self.dice.roll()) {
            Step::Send(batches) => {
                // The times of history are taken as they are: there is no clock to correct.
                let live = self.setup.lane() != Lane::History;
                Step::Send(Outbound::Batches { batches, sent_at_ms: live.then(|| self.world.now_ms()) })
            }
            Step::Connect => Step::Connect,
            Step::HangUp => Step::HangUp,
            Step::Wait(until) => Step::Wait(until),
            Step::Stop => {
                self.memory.close();
                Step::Stop
            }
        }
    }

    fn event(&mut self, now: Duration, event: Event) {
        let random = self.dice.roll();
        let mut state = self.shared.lock();
        let (settled, refused) = state.core.event(now, event, random);
        let over = state.core.link().refused().is_some();
        drop(state);
        self.report(settled, refused);
        if over {
            self.memory.close();
        }
    }
}
