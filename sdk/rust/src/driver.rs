//! Carries out what the core decides: the only part that waits.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use proto::v1::Setup;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::core::{Event, Loss, Step};
use crate::server::Server;
use crate::transport::Line;
use crate::wire::Outbound;

/// The core of a client or a sender, as the driver sees it.
pub(crate) trait Port: Send + 'static {
    /// What opens each stream.
    fn setup(&self) -> Setup;
    /// Woken when the caller did something that the driver has to look at.
    fn wake(&self) -> Arc<Notify>;
    /// Writes to the disk what has to be there before it is sent.
    fn store(&mut self, now: Duration) -> impl Future<Output = ()> + Send;
    /// What to do now.
    fn poll(&mut self, now: Duration, room: bool) -> Step<Outbound>;
    /// What happened.
    fn event(&mut self, now: Duration, event: Event);
}

/// Drives a port until it stops. `start` is the zero of its time.
pub(crate) async fn run<P: Port>(mut port: P, mut server: Server, start: Instant) {
    let wake = port.wake();
    let mut line = Line::Down;
    loop {
        port.store(start.elapsed()).await;
        match port.poll(start.elapsed(), line.has_room()) {
            Step::Connect => line = Line::dial(server.next(), port.setup()),
            Step::Send(frame) => line.send(frame),
            Step::HangUp => line = Line::Down,
            Step::Stop => return,
            Step::Wait(until) => {
                let alarm = async {
                    match until.and_then(|until| start.checked_add(until)) {
                        Some(until) => tokio::time::sleep_until(until).await,
                        None => std::future::pending().await,
                    }
                };
                let event = tokio::select! {
                    event = line.next() => event,
                    () = wake.notified() => None,
                    () = alarm => None,
                };
                if let Some(event) = event {
                    log(&event);
                    port.event(start.elapsed(), event);
                }
            }
        }
    }
}

fn log(event: &Event) {
    match event {
        Event::Connected => tracing::debug!("connected to hitmill"),
        Event::Lost(Loss::Passing(why)) => tracing::debug!(why, "the connection to hitmill is gone"),
        Event::Lost(Loss::Final(why)) => tracing::warn!(why, "hitmill refuses this sender for good"),
        Event::Frame(_) => {}
    }
}

/// Runs a task on the run time of the caller, or, where there is none, on a thread with its own.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(task);
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("hitmill-sdk".into()).spawn(move || runtime.block_on(task))?;
    Ok(())
}
