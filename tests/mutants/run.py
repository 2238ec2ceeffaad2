"""Plants each defect of mutants.toml in a copy of the checkout, and lets the suite find it.

    run.py [--seeds N] [--tests] [NAME ...]    plants all, or some; prints a table; fails if one lives
    run.py --check                             only looks whether every defect can still be planted

The simulation has to find each by itself. With --tests the tests of the defect's crate are asked, too; without, they are
asked only of what the simulation let live.
"""

import argparse
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "mutants"
TREE, TARGET = WORK / "tree", WORK / "target"
# A defect may loop, and fill the memory while it does. A run of the simulation takes seconds and some 100 MiB.
LONGEST_SECONDS = 900
MOST_BYTES = 4 << 30


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--seeds", type=int, default=600)
    options = parser.parse_args()

    mutants = tomllib.loads((HERE / "mutants.toml").read_text())["mutant"]
    check(mutants)
    if options.check:
        print(f"all {len(mutants)} defects can be planted")
        return
    by_name = {mutant["name"]: mutant for mutant in mutants}
    unknown = [name for name in options.names if name not in by_name]
    if unknown:
        sys.exit(f"there is no defect {', '.join(unknown)}")
    chosen = [by_name[name] for name in options.names] or mutants
    copy()
    started, found, living = time.monotonic(), 0, []
    print("| defect | what it breaks | found by the simulation | by tests of the crate |\n| --- | --- | --- | --- |", flush=True)
    for mutant in chosen:
        simulated, tested = plant(mutant, options)
        print(f"| {mutant['name']} | {mutant['breaks']} | {simulated or 'no'} | {tested} |", flush=True)
        found += bool(simulated)
        if not simulated and tested in ("no", "does not compile"):
            living.append(mutant["name"])
    minutes = (time.monotonic() - started) / 60
    print(f"\n{len(chosen)} defects, {found} found by the simulation, {len(living)} alive, in {minutes:.0f} minutes")
    if living:
        sys.exit(f"these live: {', '.join(living)}")


def check(mutants):
    """A defect whose place is gone, or that is named twice, would be one that nobody looks for."""
    names = [mutant["name"] for mutant in mutants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"these names are taken twice: {', '.join(twice)}")
    stale = [m["name"] for m in mutants if (ROOT / m["file"]).read_text().count(m["find"]) != 1]
    if stale:
        sys.exit(f"these can no longer be planted, because what they replace is not there exactly once: {', '.join(stale)}")


def copy():
    """Brings the copy up to date. What did not change keeps its time, so that only the rest is built anew."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, files.decode().split("\0")):
        source, target = ROOT / name, TREE / name
        if source.is_file() and not (target.exists() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def plant(mutant, options):
    """Gives what of the simulation finds it, and what of its crate's tests does."""
    path = TREE / mutant["file"]
    whole = path.read_text()
    path.write_text(whole.replace(mutant["find"], mutant["replace"]))
    try:
        built = cargo("build", "--package", "simulation")
        if built.returncode:
            print(f"{mutant['name']} does not compile:\n{built.stderr}", file=sys.stderr)
            return None, "does not compile"
        simulated = simulate(options.seeds)
        return simulated, test(mutant) if options.tests or not simulated else "not asked"
    finally:
        path.write_text(whole)


def simulate(seeds):
    for name, arguments in [
        ("crash points", ["crash-points"]),
        ("crash points, power cut", ["crash-points", "--power"]),
        ("seeds", ["seeds", "--count", str(seeds)]),
    ]:
        started = time.monotonic()
        code, said = run([TARGET / "debug" / "simulation", *arguments])
        seconds = time.monotonic() - started
        if code is None:
            return f"{name}: one does not end"
        if code:
            return f"{name}: {said.split(' failed;')[0].splitlines()[0] if said else 'ended'}, after {seconds:.0f} s"
    return None


def run(command):
    """The exit code, or nothing if it took too long, and what it said."""

    def bounded():
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))

    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=WORK, start_new_session=True, preexec_fn=bounded
    )
    try:
        said, _ = child.communicate(timeout=LONGEST_SECONDS)
        return child.returncode, said
    except subprocess.TimeoutExpired:
        # With the runs that it started.
        os.killpg(child.pid, signal.SIGKILL)
        return None, child.communicate()[0]


def test(mutant):
    """The first test of the crate that the file is in that finds it, and how many more do."""
    folder = next(f for f in pathlib.PurePath(mutant["file"]).parents if (TREE / f / "Cargo.toml").exists())
    package = tomllib.loads((TREE / folder / "Cargo.toml").read_text())["package"]["name"]
    ran = cargo("test", "--package", package, "--no-fail-fast")
    failed = sorted({line.split()[1] for line in ran.stdout.splitlines() if line.startswith("---- ")})
    if ran.returncode and not failed:
        # It compiled for the simulation, so a test has ended its process.
        return f"{package}: its tests do not end"
    more = f" and {len(failed) - 1} more" if failed[1:] else ""
    return f"{package}: {failed[0]}{more}" if failed else "no"


def cargo(*arguments):
    command = ["cargo", *arguments, "--locked", "--quiet", "--target-dir", str(TARGET)]
    return subprocess.run(command, cwd=TREE, capture_output=True, text=True)


main()
