//! The hitmill binary: every service in one process, and the tools around it.

mod access_log;
mod cli;
mod client;
mod commands;
mod demo;
mod failure;
mod local;
mod output;
mod settings;

/// Streams allocate and free small buffers from many threads; the system's allocator is the slowest part of that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    failure::report(cli::run())
}
