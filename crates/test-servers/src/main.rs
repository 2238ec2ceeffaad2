//! `./dev servers`: Pulsar, PD and a store for development by hand.

use clap::Parser;

/// Real servers for development by hand: Pulsar (old data is offloaded to a folder), PD and one store
#[derive(Parser)]
#[command(name = "./dev servers")]
enum Command {
    /// Start them, in the background, on ports of their own; what runs already is left alone
    Up,
    /// Stop them; their data stays
    Down,
    /// Stop them and delete their data
    Wipe,
    /// Say what runs
    Status,
    /// Only fetch and build what the tests start
    Fetch,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Up => test_servers::up().await,
        Command::Down => test_servers::down().await,
        Command::Wipe => test_servers::wipe().await,
        Command::Status => test_servers::status(),
        Command::Fetch => test_servers::fetch(),
    }
}
