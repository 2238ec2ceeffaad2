use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use clock::Clock;
use tokio::sync::oneshot;

use crate::demo::{Home, Play, Show};
use crate::local;
use crate::settings::Sources;

const USUAL_ADDRESS: &str = "127.0.0.1:7700";
const ANY_PORT: &str = "127.0.0.1:0";
const KEY_BYTES: usize = 32;

/// See it work: a shop with people in it, and its numbers as they move.
///
/// Starts everything in this process, on data of its own, makes a merchant, and plays the people of a shop through the Rust
/// SDK over gRPC, a stream for each of them. A table shows what subscribers of the merchant see, with the read key and over
/// gRPC as anybody would, and commands to try from another terminal. q or Ctrl-C stops: everything is delivered, and the
/// books are held against what was sent. The next start goes on where this one ended.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  hitmill demo
  hitmill demo --visitors 200        a busier shop
  hitmill demo --for 30s --plain     for a script: a table now and then, and the books at the end

The demo keeps everything in one directory, its log (demo.log) too: remove it to start afresh.
NO_COLOR=1 takes the colours away.")]
pub(crate) struct Demo {
    /// Directory of the demo; it is made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "hitmill-demo")]
    data: PathBuf,
    /// Address and port to listen on. Without it, 127.0.0.1:7700, or any free port if that is in use.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// How many people are in the shop at a time, at most, each with a connection of their own.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=400))]
    visitors: u16,
    /// Stop by itself after this long: 30s, 5m, 1h.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasting: Option<Duration>,
    /// Print the table as plain text every two seconds, as is done anyway where there is no terminal.
    #[arg(long)]
    plain: bool,
}

impl Demo {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let (home, keys) = Home::open(self.data.clone(), new_admin_key)?;
        let listen = self.listen.clone().unwrap_or_else(free_address);
        let settings = Sources::of(home.data(), listen).load()?.settings.of_this_machine();
        host::telemetry::init_logs_to(&settings.host, home.log()?)?;
        eprintln!("starting: data in {}, log in {}", home.path().display(), home.log_path().display());

        let local = local::prepare(settings, &local::ALL, Some(keys.admin_key.clone())).await?;
        let play = Play {
            address: local.address.to_string(),
            home,
            keys,
            shoppers: self.visitors.into(),
            lasting: self.lasting,
            show: self.show(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let mut server = tokio::spawn(local.serve(async {
            // An error says that nobody is left who could stop it, which is a reason to stop.
            let _ = stopped.await;
        }));
        let played = tokio::select! {
            played = play.run() => played,
            ended = &mut server => return ended.context("the server failed")?.context("the server stopped"),
        };
        drop(stop);
        server.await.context("the server failed")??;
        print!("{}", played?);
        eprintln!("start again to go on: the data stays in {}", self.data.display());
        Ok(())
    }

    fn show(&self) -> Show {
        let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if self.plain || !terminal || dumb {
            return Show::Plain;
        }
        Show::Terminal { colors: std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()) }
    }
}

fn duration(text: &str) -> Result<Duration, model::Invalid> {
    let millis = query_svc::text::duration("duration", text)?;
    Ok(Duration::from_millis(millis.unsigned_abs()))
}

/// The usual address, or any free port of this machine if somebody listens there.
fn free_address() -> String {
    match std::net::TcpListener::bind(USUAL_ADDRESS) {
        Ok(_) => USUAL_ADDRESS.to_owned(),
        Err(_) => ANY_PORT.to_owned(),
    }
}

fn new_admin_key() -> String {
    let secret = Clock::system().random::<KEY_BYTES>();
    secret.iter().map(|byte| format!("{byte:02x}")).collect()
}
