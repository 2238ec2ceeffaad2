use std::fs;
use std::ops::Sub;
use std::time::Duration;

use anyhow::Context;

/// Threads of these stages have names that begin so; all others take hits in and answer queries.
const LOG_THREADS: &str = "log-";
const ROLLUP_THREADS: &str = "rollup";
const STORE_THREADS: &str = "fjall";

/// Processor time of a process, user and system time together, as the operating system counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Of all its threads, also those that have ended.
    pub(crate) total: Duration,
    /// Of the threads that write the log.
    pub(crate) log: Duration,
    /// Of the threads that fold and commit.
    pub(crate) rollup: Duration,
    /// Of the store's own threads.
    pub(crate) store: Duration,
}

impl Usage {
    /// What this process has used.
    pub(crate) fn own() -> anyhow::Result<Self> {
        Self::of(std::process::id())
    }

    /// What a process has used.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let mut usage = Self { total: of_stat(&format!("/proc/{pid}/stat"))?.1, ..Self::default() };
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end while it is looked at.
            let Ok((name, used)) = of_stat(&task?.path().join("stat").to_string_lossy()) else { continue };
            let stages = [
                (LOG_THREADS, &mut usage.log),
                (ROLLUP_THREADS, &mut usage.rollup),
                (STORE_THREADS, &mut usage.store),
            ];
            for (_, stage) in stages.into_iter().filter(|(threads, _)| name.starts_with(threads)) {
                *stage += used;
            }
        }
        Ok(usage)
    }

    /// Of all other threads.
    pub(crate) fn rest(&self) -> Duration {
        self.total.saturating_sub(self.log + self.rollup + self.store)
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            log: self.log.saturating_sub(before.log),
            rollup: self.rollup.saturating_sub(before.rollup),
            store: self.store.saturating_sub(before.store),
        }
    }
}

fn of_stat(path: &str) -> anyhow::Result<(String, Duration)> {
    let stat = fs::read_to_string(path)
        .with_context(|| format!("failed to read {path}: processor time is known on Linux only"))?;
    let (name, ticks) = parse(&stat).with_context(|| format!("{path} is not as expected: {stat:?}"))?;
    Ok((name, Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second())?))
}

/// Name, and ticks in user and system mode, of `pid (name) state ...`: fields 14 and 15 of proc(5). The name may have
/// spaces and brackets in it.
fn parse(stat: &str) -> Option<(String, u64)> {
    let (head, fields) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let mut fields = fields.split(' ').skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some((name.to_owned(), ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_any_name() {
        let stat = "77 (log-3) a (b)) S 1 77 77 0 -1 4194560 1 2 3 4 250 50 8 9 20 0 3 0 100 0 0";
        assert_eq!(parse(stat), Some(("log-3) a (b)".into(), 300)));
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn work_shows_as_time_used_by_the_stage_of_its_thread() {
        let before = Usage::own().unwrap();
        let work = std::thread::Builder::new().name("rollup".into()).spawn(move || {
            let mut word = 1u64;
            // Ends as soon as the operating system has counted a tick.
            while (Usage::own().unwrap() - before).rollup.is_zero() {
                word = (0..1_000_000).fold(word, |word, i| std::hint::black_box(word.wrapping_mul(i | 1)));
            }
            Usage::own().unwrap() - before
        });
        let used = work.unwrap().join().unwrap();
        assert!(used.total >= used.rollup);
        assert_eq!((used.log, used.store), (Duration::ZERO, Duration::ZERO));
    }
}
