//! The command line: what can be asked, and what is common to all of it.

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    audit, bench, changes, completions, demo, doctor, health, import, key, merchant, query, serve, settings,
    stream, topic, up, watch,
};
use crate::output::Format;

/// Streaming analytics: hits in over gRPC, time series out, on one machine with nothing else installed.
#[derive(Debug, Parser)]
#[command(name = "hitmill", version, max_term_width = 110, after_long_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Start a server; its first start prints an admin key:
    hitmill up

  In another terminal, make a merchant; the keys are shown this once:
    export HITMILL_KEY=...            the admin key
    hitmill merchant create 'My shop' --time-zone Europe/Berlin --currency EUR

  The same for a script:
    hitmill merchant create 'My shop' --format json | jq -r .write_key

Exit codes: 0 done, 1 failed, 2 asked in a wrong way. Data goes to standard output, everything else to standard error.";

/// What every command that talks to a server takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Where the server is.
    #[arg(
        long,
        global = true,
        env = "HITMILL_SERVER",
        default_value = "http://127.0.0.1:7700",
        value_name = "URL"
    )]
    pub(crate) server: String,
    /// As whom to ask: an admin key, or a merchant's read key where that is enough.
    #[arg(long, global = true, env = "HITMILL_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// How to print what was asked for.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(crate) format: Format,
}

impl Global {
    /// What was given: an empty key is what a script has where its variable was never set.
    fn given(self) -> Self {
        Self { key: self.key.filter(|key| !key.is_empty()), ..self }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Up(up::Up),
    Serve(serve::Serve),
    #[command(subcommand)]
    Merchant(merchant::Merchant),
    #[command(subcommand)]
    Import(import::Import),
    Query(query::Query),
    Watch(watch::Watch),
    Audit(audit::Audit),
    #[command(subcommand)]
    Stream(stream::Stream),
    #[command(subcommand)]
    Key(key::Key),
    Changes(changes::Changes),
    #[command(subcommand)]
    Topic(topic::Topic),
    Settings(settings::Settings),
    Health(health::Health),
    Doctor(doctor::Doctor),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

/// Does what the command line asks.
pub(crate) fn run() -> anyhow::Result<()> {
    let Cli { global, command } = Cli::parse();
    let global = global.given();
    let run_time = tokio::runtime::Runtime::new()?;
    run_time.block_on(async {
        match command {
            Command::Demo(demo) => demo.run().await,
            Command::Up(up) => up.run().await,
            Command::Serve(serve) => serve.run().await,
            Command::Merchant(merchant) => merchant.run(&global).await,
            Command::Import(import) => import.run(&global).await,
            Command::Query(query) => query.run(&global).await,
            Command::Watch(watch) => watch.run(&global).await,
            Command::Audit(audit) => audit.run(&global).await,
            Command::Stream(stream) => stream.run(&global).await,
            Command::Key(key) => key.run(&global).await,
            Command::Changes(changes) => changes.run(&global).await,
            Command::Topic(topic) => topic.run(&global).await,
            Command::Settings(settings) => settings.run(global.format),
            Command::Health(health) => health.run(&global).await,
            Command::Doctor(doctor) => doctor.run(&global).await,
            Command::Bench(bench) => bench.run(&global).await,
            Command::Completions(completions) => completions.run::<Cli>(),
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_empty_key_is_none() {
        let key = |key: &str| Cli::parse_from(["hitmill", "changes", "--key", key]).global.given().key;
        assert_eq!((key(""), key("hm_a_x").as_deref()), (None, Some("hm_a_x")));
    }

    #[test]
    fn every_command_and_argument_says_what_it_is() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} says nothing", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
