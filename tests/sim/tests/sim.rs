//! Determinism first: nothing else counts before the same seed does the same twice. Then seeds, and every crash point.

#![expect(clippy::panic, reason = "helpers of tests fail as tests do")]

use std::path::Path;

use simulation::{Report, Task, all_crash_points, all_repairs, all_retentions, run_all};

/// Seeds that CI runs: a minute or so of an unoptimised build.
const SEEDS: std::ops::Range<u64> = 0..300;

fn all(tasks: &[Task]) -> Vec<Report> {
    run_all(Path::new(env!("CARGO_BIN_EXE_simulation")), tasks).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn a_seed_twice_is_the_same_to_the_last_byte_and_then_all_seeds_are_counted_right() {
    for seed in SEEDS.take(20) {
        let both = all(&[Task::Seed(seed), Task::Seed(seed)]);
        assert_eq!(both[0], both[1], "seed {seed}");
    }
    let reports = all(&SEEDS.map(Task::Seed).collect::<Vec<_>>());
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    let (ended, faults, agreed) = (sum(|r| r.ended), sum(|r| r.faults), sum(|r| r.checked.2));
    println!(
        "{} seeds: {ended} processes ended, {faults} other faults, {agreed} answers of one revision",
        reports.len()
    );
    // A simulation in which nothing goes wrong would find nothing.
    let seeds = reports.len() as u64;
    assert!(ended > seeds && faults > 5 * seeds && agreed > 10 * seeds);
}

#[test]
fn a_crash_after_every_single_call_to_disk_and_store_costs_nothing() {
    for power in [false, true] {
        let reports = all_crash_points(Path::new(env!("CARGO_BIN_EXE_simulation")), power);
        let reports = reports.unwrap_or_else(|failure| panic!("{failure}"));
        println!("{} crash points, power cut: {power}", reports.len());
        assert!(reports.len() > 80, "the work has many calls");
        assert!(reports.iter().all(|report| report.ended > 0), "each of them crashes");
    }
}

#[test]
fn a_repair_of_the_log_and_a_retention_may_end_after_every_single_call_to_the_disk() {
    for (power, rounds) in [(false, 1), (true, 20)] {
        for round in 0..rounds {
            let calls =
                all_repairs(power, round).unwrap_or_else(|failure| panic!("round {round}: {failure}"));
            println!("{calls} ends of a repair, power cut: {power}");
            assert!(calls > 100, "a repair has many calls");
            let calls =
                all_retentions(power, round).unwrap_or_else(|failure| panic!("round {round}: {failure}"));
            assert!(calls > 6, "it deletes three segments: {calls}");
        }
    }
}
