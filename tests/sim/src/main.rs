//! Runs seeds of the simulation: `cargo run --release -p simulation -- --seeds 10000`.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use simulation::{Failure, Plan, Report, run};

/// Runs seeds of the simulation, until one fails.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Print what happened in a seed that fails.
    #[arg(long)]
    trace: bool,
    /// Run every seed twice: both runs must be the same to the last byte.
    #[arg(long)]
    twice: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let mut sum = Report::default();
    for seed in arguments.from..arguments.from + arguments.seeds {
        let plan = Plan { keep_trace: arguments.trace, ..Plan::of(seed) };
        match run(&plan) {
            Ok(report) if arguments.twice && !is_repeated(&plan, &report) => {
                println!("seed {seed}: the second run was another");
                return ExitCode::FAILURE;
            }
            Ok(report) => {
                sum.tracked += report.tracked;
                sum.ended += report.ended;
                sum.faults += report.faults;
                sum.trace.1 += report.trace.1;
            }
            Err(Failure { what, trace }) => {
                trace.iter().for_each(|line| println!("{line}"));
                println!("seed {seed} failed: {plan:?}");
                what.iter().for_each(|what| println!("  {what}"));
                return ExitCode::FAILURE;
            }
        }
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    println!(
        "{} seeds, {:.0} a minute: {} hits, {} processes ended, {} other faults, {} calls and events",
        arguments.seeds,
        arguments.seeds as f64 / minutes,
        sum.tracked,
        sum.ended,
        sum.faults,
        sum.trace.1
    );
    ExitCode::SUCCESS
}

fn is_repeated(plan: &Plan, report: &Report) -> bool {
    run(plan).is_ok_and(|again| again == *report)
}
