//! Every file of the corpus, and random mutations of it, through every target.
//!
//! `HITMILL_FUZZ_SEED` chooses the mutations, `HITMILL_FUZZ_ROUNDS` how many for each target, and `HITMILL_REGENERATE=1`
//! writes the corpus anew.

use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

fn number(variable: &str, default: u64) -> Result<u64, ParseIntError> {
    env::var(variable).map_or(Ok(default), |text| text.parse())
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

const MAGIC: [u8; 7] = [0, 1, 0x7f, 0x80, 0xff, b'|', b'\\'];

/// One to four small changes.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let end = at + random.below(bytes.len() - at + 1);
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = MAGIC[random.below(MAGIC.len())],
            2 => bytes.insert(at, random.next() as u8),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => bytes.extend_from_within(at..end),
            _ => {
                let from = random.below(other.len());
                bytes.splice(at..end, other[from..].iter().copied());
            }
        }
        bytes.truncate(1 << 14);
    }
}

#[test]
fn the_corpus_is_what_hitmill_writes() {
    for (target, _) in fuzz::TARGETS {
        for (i, seed) in fuzz::seeds::of(target).into_iter().enumerate() {
            let path = corpus(target).join(format!("seed-{i}"));
            if env::var("HITMILL_REGENERATE").is_ok() {
                fs::create_dir_all(corpus(target)).unwrap();
                fs::write(&path, &seed).unwrap();
            }
            assert!(
                fs::read(&path).unwrap() == seed,
                "{} is old: HITMILL_REGENERATE=1 writes it",
                path.display()
            );
        }
    }
}

#[test]
fn no_law_breaks_on_the_corpus_and_its_mutations() {
    let seed = number("HITMILL_FUZZ_SEED", 5).unwrap();
    let rounds = number("HITMILL_FUZZ_ROUNDS", 300_000).unwrap();
    for (name, target) in fuzz::TARGETS {
        // Those that open files, or descriptors, take longer.
        let rounds = match name {
            "log" | "store" => rounds / 500,
            "json" => rounds / 5,
            _ => rounds,
        };
        let mut files: Vec<_> =
            fs::read_dir(corpus(name)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let files: Vec<_> = files.iter().map(|path| fs::read(path).unwrap()).collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        let run = |bytes: &[u8]| {
            let held = catch_unwind(AssertUnwindSafe(|| target(bytes)));
            assert!(held.is_ok(), "{name} breaks, seed {seed}, on \"{}\"", bytes.escape_ascii());
        };
        files.iter().for_each(|bytes| run(bytes));
        let mut random = Random(seed);
        for _ in 0..rounds {
            let mut bytes = files[random.below(files.len())].clone();
            mutate(&mut bytes, &files[random.below(files.len())], &mut random);
            run(&bytes);
        }
        println!("{name}: {} executions, seed {seed}", files.len() as u64 + rounds);
    }
}
