//! The four services as programs of their own: told what they need by a file, by variables and by flags.

use std::fs;
use std::time::Duration;

use test_servers::Keeper;

use super::engines::Engines;
use super::few::Few;
use super::load::Load;
use crate::system::binary::program;
use crate::system::complete;
use crate::system::site::ADMIN_KEY;

/// A hit goes in at one and comes out at another.
pub(super) async fn scenario(engines: &Engines) {
    let keeper = Keeper::new("binaries").unwrap();
    let file = keeper.folder().join("hitmill.toml");
    let mut few = Few::new(&keeper, "svc", |only, address, config| {
        // Written again for each, and the same each time: one file serves all.
        fs::write(&file, settings(engines, config)).unwrap();
        let mut command = program(&format!("{only}-svc"));
        // The address in the file is wrong, that in the variable is wrong, too, and the flag wins.
        command.arg("--config").arg(&file).args(["--listen", address]);
        command.env("HITMILL_HOST__LISTEN", "127.0.0.1:2").env("HITMILL_HOST__LOG", "info");
        if only == "config" {
            command.env("HITMILL_ADMIN_KEY", ADMIN_KEY);
        }
        command
    });
    few.start().await;
    let merchant = few.configuring().merchant_over(2);
    let load = Load::start(&few.taking(), &merchant, 4);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let fired = load.finish().await;
    let counted = complete::hits_by(&few.asking(), merchant.id, "campaign").await;
    assert_eq!(counted, fired.by_client());
    let said = few.ingest.said();
    assert!(said.contains("serving"), "the file says warn, and the variable info: {said}");
    few.stop().await;
    println!("binaries: {} hits through the four programs of their own", fired.hits());
}

fn settings(engines: &Engines, config: &str) -> String {
    let (pulsar, tikv) = (&engines.pulsar, engines.tikv.endpoints().join(","));
    format!(
        r#"
[host]
listen = "127.0.0.1:1"
log = "warn"

[pulsar]
url = "{}"
admin_url = "{}"
namespace = "public/apart"
partitions = 3

[tikv]
endpoints = "{tikv}"
prefix = "apart"

[catalog]
servers = "http://{config}"
key = "{ADMIN_KEY}"

[ingest]
flush_delay_ms = 20

[rollup]
flush_interval_ms = 50
"#,
        pulsar.url(),
        pulsar.admin_url(),
    )
}
