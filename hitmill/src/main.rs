//! The hitmill binary: every service in one process, and the tools around it.

mod cli;
mod client;
mod commands;
mod demo;
mod failure;
mod local;
mod output;
mod settings;
mod visible;

fn main() -> std::process::ExitCode {
    host::keep_freed_memory();
    failure::report(cli::run())
}
