use bench::{Beside, Cpu, Latency, Queries, Report, Scenario, Storage};
use serde::Serialize;

use crate::output::{self, Format};

/// One figure of one scenario.
#[derive(Serialize)]
struct Row {
    scenario: &'static str,
    figure: String,
    value: String,
}

/// Prints a report: all of it as JSON, else the figures, one in each row.
pub(super) fn print(format: Format, report: &Report) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::one(format, &[], report);
    }
    let rows: Vec<Row> = report.scenarios.iter().flat_map(rows).collect();
    output::list(format, &["scenario", "figure", "value"], &rows)
}

fn rows(scenario: &Scenario) -> Vec<Row> {
    let mut figures = Vec::new();
    let mut add = |figure: &str, value: Option<String>| {
        figures.extend(value.map(|value| (figure.to_owned(), value)));
    };
    add("hits/s", scenario.hits_per_s.map(whole));
    add("hits", scenario.hits.map(|hits| hits.to_string()));
    add("bytes of a hit", scenario.hit_bytes.map(whole));
    add("seconds", scenario.seconds.map(short));
    add("last ack to complete, ms", scenario.complete_after_ack_ms.map(short));
    if let Some(cpu) = &scenario.cpu_us_per_hit {
        let Cpu { ingest, log, rollup, store, server, generator, total } = cpu;
        add("CPU of ingest, µs a hit", ingest.map(short));
        add("CPU of the log, µs a hit", log.map(short));
        add("CPU of rollup, µs a hit", rollup.map(short));
        add("CPU of the store, µs a hit", store.map(short));
        add("CPU of the server, µs a hit", server.map(short));
        add("CPU of the generator, µs a hit", Some(short(*generator)));
        add("CPU in all, µs a hit", total.map(short));
    }
    for Beside { name, cpu_us_per_hit, peak_resident_bytes } in &scenario.beside {
        add(&format!("CPU of {name}, µs a hit"), Some(short(*cpu_us_per_hit)));
        add(
            &format!("most memory of {name}, MiB"),
            peak_resident_bytes.map(|bytes| (bytes >> 20).to_string()),
        );
    }
    add("ack, ms", scenario.ack_ms.as_ref().map(latency));
    add("queryable, ms", scenario.queryable_ms.as_ref().map(latency));
    for queries in &scenario.queries {
        let Queries { kind, callers, queries_per_s, server_cpu_us, latency_ms } = queries;
        add(&format!("{kind}: answers/s, {callers} at a time"), Some(whole(*queries_per_s)));
        add(&format!("{kind}: ms"), Some(latency(latency_ms)));
        add(&format!("{kind}: CPU of the server, µs"), server_cpu_us.map(whole));
    }
    if let Some(storage) = &scenario.storage {
        let Storage { log_bytes_per_hit, store_bytes_per_merchant_hour, peak_resident_bytes, .. } = storage;
        add("log, bytes a hit", Some(whole(*log_bytes_per_hit)));
        add("store, bytes a merchant-hour", Some(whole(*store_bytes_per_merchant_hour)));
        add("most memory of the server, MiB", Some((peak_resident_bytes >> 20).to_string()));
    }
    figures.into_iter().map(|(figure, value)| Row { scenario: scenario.name, figure, value }).collect()
}

fn latency(latency: &Latency) -> String {
    let Latency { p50, p99, p999, max, .. } = latency;
    format!("p50 {}, p99 {}, p99.9 {}, max {}", short(*p50), short(*p99), short(*p999), short(*max))
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

fn short(value: f64) -> String {
    format!("{value:.2}")
}
