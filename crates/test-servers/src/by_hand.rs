//! Servers that outlive the command that starts them, on ports that are always the same.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::process::{Launch, log_end};
use crate::pulsar::{self, Ports};
use crate::tikv::{self, Pd, PdPorts};
use crate::{cache, fetch, in_background};

/// Not the usual ones: a developer may have servers of their own.
const PULSAR: Ports = Ports { broker: 16650, admin: 18080, bookie: 13181, advertised: 16650 };
const PD: PdPorts = PdPorts { client: 12379, peer: 12380 };
const STORE: u16 = 12160;

/// It takes seconds; minutes where many share a processor.
const PATIENCE: Duration = Duration::from_secs(300);

/// Starts Pulsar, PD and one store, those that do not run, and says how hitmill is pointed at them.
pub async fn up() -> Result<()> {
    let _one_at_a_time = lock()?;
    let home = in_background(fetch::pulsar).await?;
    let [pd_program, store_program] = [in_background(fetch::pd).await?, in_background(fetch::store).await?];
    let [pulsar, pd, store] = places()?;
    for place in [&pulsar, &pd, &store] {
        fs::create_dir_all(&place.folder)?;
    }
    pulsar.start(pulsar::launch_by_hand(&home, &pulsar.folder, &PULSAR)?)?;
    pd.start(tikv::launch_pd(&pd_program, &pd.folder, &PD, 1)?)?;
    let placement = Pd::at(address(PD.client));
    pd.wait_for(async || placement.is_healthy().await).await?;
    let own = address(STORE);
    store.start(tikv::launch_store(&store_program, &store.folder, &address(PD.client), &own, &own)?)?;
    store.wait_for(async || placement.has_store(&own).await).await?;
    let admin = address(PULSAR.admin);
    pulsar.wait_for(async || pulsar::is_healthy(&admin).await).await?;
    status()?;
    println!();
    println!("export HITMILL_PULSAR__URL=pulsar://{}", address(PULSAR.broker));
    println!("export HITMILL_PULSAR__ADMIN_URL=http://{admin}");
    println!("export HITMILL_TIKV__ENDPOINTS={}", address(PD.client));
    Ok(())
}

/// Stops those that run.
pub async fn down() -> Result<()> {
    let _one_at_a_time = lock()?;
    stop_all().await
}

/// Stops those that run, and deletes their data.
pub async fn wipe() -> Result<()> {
    let _one_at_a_time = lock()?;
    stop_all().await?;
    for place in places()? {
        if place.folder.exists() {
            fs::remove_dir_all(&place.folder)?;
        }
    }
    println!("the data is deleted");
    Ok(())
}

/// Says what runs, and where.
pub fn status() -> Result<()> {
    for place in places()? {
        match place.running() {
            Some(pid) => println!("{:<7} {}   pid {}", place.name, place.address, pid.as_raw_nonzero()),
            None => println!("{:<7} is down", place.name),
        }
    }
    Ok(())
}

/// One server: its data and its process id.
struct Place {
    name: &'static str,
    address: String,
    folder: PathBuf,
}

/// In the order in which they start.
fn places() -> Result<[Place; 3]> {
    let root = root()?;
    let place = |name, address| Place { name, address, folder: root.join(name) };
    let broker = address(PULSAR.broker);
    Ok([
        place("pulsar", format!("pulsar://{broker}   admin http://{}", address(PULSAR.admin))),
        place("pd", address(PD.client)),
        place("store", address(STORE)),
    ])
}

impl Place {
    fn start(&self, launch: Launch) -> Result<()> {
        if self.running().is_none() {
            // What an earlier run said would only confuse.
            fs::write(&launch.log, "")?;
            let child = launch.spawn(0)?;
            fs::write(self.pid_file(), child.id().to_string())?;
        }
        Ok(())
    }

    async fn wait_for(&self, healthy: impl AsyncFn() -> bool) -> Result<()> {
        // A process that is only just becoming the program has no command line for a moment.
        const LOOKS: u32 = 10;
        let (began, mut missed) = (Instant::now(), 0);
        while !healthy().await {
            missed = if self.running().is_some() { 0 } else { missed + 1 };
            if missed == LOOKS {
                bail!("{} ended at its start; it said\n{}", self.name, log_end(&self.folder.join("log")));
            }
            if began.elapsed() > PATIENCE {
                bail!(
                    "{} is not well after {} s; it said\n{}",
                    self.name,
                    PATIENCE.as_secs(),
                    log_end(&self.folder.join("log"))
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn stop(&self) -> Result<()> {
        if let Some(pid) = self.running() {
            kill_process(pid, Signal::TERM).with_context(|| format!("failed to stop {}", self.name))?;
            let began = Instant::now();
            while self.running().is_some() {
                if began.elapsed() > PATIENCE {
                    bail!("{} (pid {}) does not stop", self.name, pid.as_raw_nonzero());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            println!("{} is down", self.name);
        }
        Ok(())
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    /// Its process id, if it runs. The number of one that ended may be another program's by now: ours names its folder.
    fn running(&self) -> Option<Pid> {
        let number: i32 = fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()?;
        let pid = Pid::from_raw(number)?;
        test_kill_process(pid).ok()?;
        let command = fs::read(format!("/proc/{number}/cmdline")).ok()?;
        String::from_utf8_lossy(&command).contains(&*self.folder.to_string_lossy()).then_some(pid)
    }
}

async fn stop_all() -> Result<()> {
    // PD last: the store tells it that it leaves.
    let [pulsar, pd, store] = places()?;
    for place in [pulsar, store, pd] {
        place.stop().await?;
    }
    Ok(())
}

fn root() -> Result<PathBuf> {
    Ok(cache::folder()?.join("by-hand"))
}

fn lock() -> Result<File> {
    cache::lock(&cache::folder()?.join("by-hand.lock"))
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
