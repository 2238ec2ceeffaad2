//! The published figures come from a command that anybody can run.

use super::binary::hitmill;
use super::server::Home;
use super::site::parsed;

#[test]
fn bench_finds_every_hit_again_and_prints_its_figures_for_scripts() {
    let home = Home::new();
    let output = hitmill()
        .args(["bench", "--json", "--scenario", "ingest-150", "--hits", "3000", "--data"])
        .arg(home.path("bench"))
        .output()
        .unwrap();
    let report = parsed(&output);
    let scenario = &report["scenarios"][0];
    assert_eq!(scenario["name"], "ingest-150");
    assert!(scenario["hits_per_s"].as_f64().unwrap() > 0.0, "{scenario}");
    let bytes = scenario["hit_bytes"].as_f64().unwrap();
    assert!((143.0..158.0).contains(&bytes), "{bytes} bytes are not about 150");
    for stage in ["ingest", "log", "rollup", "generator", "total"] {
        assert!(scenario["cpu_us_per_hit"][stage].is_number(), "{stage} of {scenario}");
    }
}
