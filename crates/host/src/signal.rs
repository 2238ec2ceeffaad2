use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell reports of a process that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Returns at the first SIGINT or SIGTERM. From then on a second one ends the process at once: whoever asks twice does
/// not want to wait for the drain.
pub async fn shutdown_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals cannot be caught: only the end of the process will stop it, without a drain");
        return std::future::pending().await;
    };
    either(&mut interrupt, &mut terminate).await;
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::warn!("leaving at once: a second signal came");
        std::process::exit(INTERRUPTED);
    });
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
