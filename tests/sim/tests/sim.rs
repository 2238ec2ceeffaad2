//! Determinism first, then seeds, then every crash point.

use simulation::{Faults, Plan, run};

fn ran(plan: &Plan) -> simulation::Report {
    run(plan).unwrap_or_else(|failure| {
        panic!("{plan:?}\n{}\n{}", failure.trace.join("\n"), failure.what.join("\n"))
    })
}

#[test]
fn without_faults_all_is_counted() {
    for many in [false, true] {
        let report = ran(&Plan { many, faults: Faults::NONE, keep_trace: true, ..Plan::of(1) });
        println!("{report:?}");
    }
}
