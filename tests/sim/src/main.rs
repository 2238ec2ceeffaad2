//! Runs the simulation: `cargo run --release -p simulation -- seeds --count 10000`.

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, setrlimit};
use simulation::{Plan, Report, Task, all_crash_points, all_repairs, all_retentions, run, run_all};

/// Runs the real code on a simulated clock, network, disk and scheduler.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs seeds, until one fails.
    Seeds {
        /// How many.
        #[arg(long, default_value_t = 100)]
        count: u64,
        /// The first of them.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// Runs every seed twice: both must be the same to the last byte.
        #[arg(long)]
        twice: bool,
    },
    /// Crashes after the first call to disk and store, after the second, and so on.
    CrashPoints {
        /// Cuts the power, too.
        #[arg(long)]
        power: bool,
    },
    /// Runs one in this process, and prints its report.
    One {
        /// Which seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Fixed work instead, with a crash after so many calls; 0 is none.
        #[arg(long)]
        crash_after: Option<u64>,
        /// With it the power is cut.
        #[arg(long)]
        power: bool,
        /// Prints everything that happened, too.
        #[arg(long)]
        trace: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Seeds { count, from, twice } => seeds(from..from + count, twice),
        Command::CrashPoints { power } => crash_points(power),
        Command::One { seed, crash_after, power, trace } => {
            let task = match crash_after {
                Some(after) => Task::Crash { after: Some(after).filter(|after| *after > 0), power },
                None => Task::Seed(seed),
            };
            one(&Plan { keep_trace: trace, ..task.plan() })
        }
    };
    match done {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            println!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn one(plan: &Plan) -> Result<String, String> {
    // A run takes some dozen megabytes. One that goes wrong must not take the machine with it.
    const MOST: u64 = 2 << 30;
    let limit = Rlimit { current: Some(MOST), maximum: Some(MOST) };
    setrlimit(Resource::As, limit).map_err(|error| error.to_string())?;
    if plan.keep_trace {
        // What the services log, among what happened.
        let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into());
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    }
    let (result, lines) = run(plan);
    lines.iter().for_each(|line| println!("{line}"));
    // A pipe takes so much, and nobody reads more.
    let short = |text: String| text.chars().take(4_000).collect::<String>();
    let wrong = |wrong: Vec<String>| wrong.into_iter().take(8).map(short).collect::<Vec<_>>().join("\n");
    let report = result.map_err(|what| format!("{plan:?}\n{}", wrong(what)))?;
    serde_json::to_string(&report).map_err(|error| error.to_string())
}

fn seeds(seeds: std::ops::Range<u64>, twice: bool) -> Result<String, String> {
    let (started, count) = (Instant::now(), seeds.end - seeds.start);
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut reports = Vec::new();
    for seed in seeds.clone().filter(|_| twice) {
        let both = run_all(&program, &[Task::Seed(seed), Task::Seed(seed)])?;
        if both[0] != both[1] {
            return Err(format!("two runs of seed {seed} differ: {both:?}"));
        }
        reports.push(both[0].clone());
    }
    if !twice {
        reports = run_all(&program, &seeds.map(Task::Seed).collect::<Vec<_>>())?;
    }
    let a_minute = count as f64 / started.elapsed().as_secs_f64() * 60.0;
    Ok(format!("{count} seeds, {a_minute:.0} a minute: {}", summary(&reports)))
}

fn crash_points(power: bool) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let reports = all_crash_points(&program, power)?;
    let repairs = (0..20).map(|round| all_repairs(power, round)).sum::<Result<u64, _>>()?;
    let retentions = (0..20).map(|round| all_retentions(power, round)).sum::<Result<u64, _>>()?;
    Ok(format!(
        "{} crash points: {}; {repairs} repairs of a log and {retentions} retentions ended",
        reports.len(),
        summary(&reports)
    ))
}

fn summary(reports: &[Report]) -> String {
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    format!(
        "{} hits, {} processes ended, {} other faults, {} answers and {} messages checked, {} \
         of one revision, {} events",
        sum(|report| report.tracked),
        sum(|report| report.ended),
        sum(|report| report.faults),
        sum(|report| report.checked.0),
        sum(|report| report.checked.1),
        sum(|report| report.checked.2),
        sum(|report| report.trace.1),
    )
}
