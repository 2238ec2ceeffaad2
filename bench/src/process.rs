//! Processes that work beside the server: brokers, stores, load balancers, services that run apart.

use std::str::FromStr;
use std::time::Duration;

use crate::machine::kibibytes;
use crate::report::Beside;
use crate::server::Usage;

/// A process whose processor time and memory count too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What it is called in the report.
    pub name: String,
    /// Its id.
    pub pid: u32,
}

impl FromStr for Process {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let process =
            parts.and_then(|(name, pid)| Some(Self { name: name.to_owned(), pid: pid.parse().ok()? }));
        process.ok_or_else(|| format!("process {text:?} is not NAME=PID, as in broker=4711"))
    }
}

/// What the processes had used when it was made.
pub(crate) struct Meter<'a> {
    processes: &'a [Process],
    before: Vec<Duration>,
}

impl<'a> Meter<'a> {
    /// Begins to measure.
    pub(crate) fn begin(processes: &'a [Process]) -> anyhow::Result<Self> {
        Ok(Self { processes, before: used(processes)? })
    }

    /// What they have used since, for each hit.
    pub(crate) fn end(self, hits: u64) -> anyhow::Result<Vec<Beside>> {
        let each = |used: Duration| used.as_secs_f64() * 1e6 / hits.max(1) as f64;
        let spans = used(self.processes)?.into_iter().zip(self.before);
        let figures = self.processes.iter().zip(spans).map(|(process, (after, before))| Beside {
            name: process.name.clone(),
            cpu_us_per_hit: each(after.saturating_sub(before)),
            peak_resident_bytes: kibibytes(&format!("/proc/{}/status", process.pid), "VmHWM"),
        });
        Ok(figures.collect())
    }
}

fn used(processes: &[Process]) -> anyhow::Result<Vec<Duration>> {
    processes.iter().map(|process| Ok(Usage::of(process.pid)?.total)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_name_and_an_id() {
        let process = Process { name: "broker".into(), pid: 4711 };
        assert_eq!("broker=4711".parse(), Ok(process));
        for wrong in ["4711", "=4711", "broker=", "broker=x", "broker=-1"] {
            assert!(wrong.parse::<Process>().unwrap_err().contains("NAME=PID"), "{wrong}");
        }
    }

    #[test]
    fn what_a_process_uses_is_counted_for_each_hit() {
        let own = [Process { name: "own".into(), pid: std::process::id() }];
        let meter = Meter::begin(&own).unwrap();
        let before = Usage::own().unwrap().total;
        let mut word = 1u64;
        // Ends as soon as the operating system has counted some ticks.
        while Usage::own().unwrap().total < before + Duration::from_millis(50) {
            word = (0..1_000_000).fold(word, |word, i| std::hint::black_box(word.wrapping_mul(i | 1)));
        }
        let figures = meter.end(10).unwrap();
        assert!(figures[0].cpu_us_per_hit >= 5_000.0, "50 ms for 10 hits: {figures:?}");
        assert!(figures[0].peak_resident_bytes > Some(0));
    }
}
