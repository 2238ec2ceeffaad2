"""Plants each defect of mutants.toml in a copy of the checkout, and lets the suite find it.

    run.py [NAME ...]    plants all, or some; prints a table; fails if one lives
    run.py --check       only looks whether every defect can still be planted
"""

import pathlib
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TREE = ROOT / "target" / "mutants"

# What is run, the simulation first, until one of them fails. The tests of the crate come last: they tell more of the
# defect and less of the system.
SIMULATION = [
    ("crash points", ["crash-points"]),
    ("crash points, power cut", ["crash-points", "--power"]),
    ("seeds", ["seeds", "--count", "600"]),
]


def main(arguments):
    mutants = tomllib.loads((HERE / "mutants.toml").read_text())["mutant"]
    stale = [mutant["name"] for mutant in mutants if text_of(ROOT, mutant).count(mutant["find"]) != 1]
    if stale:
        sys.exit(f"these cannot be planted any more, mend them: {', '.join(stale)}")
    if arguments == ["--check"]:
        return
    unknown = set(arguments) - {mutant["name"] for mutant in mutants}
    if unknown:
        sys.exit(f"there is no mutant {', '.join(sorted(unknown))}")
    copy()
    print("| defect | what it breaks | caught by the simulation | also by |\n| --- | --- | --- | --- |", flush=True)
    living = []
    for mutant in mutants:
        if arguments and mutant["name"] not in arguments:
            continue
        simulated, tested = plant(mutant)
        print(f"| {mutant['name']} | {mutant['breaks']} | {simulated or '-'} | {tested or '-'} |", flush=True)
        if not (simulated or tested):
            living.append(mutant["name"])
    if living:
        sys.exit(f"these live: {', '.join(living)}")


def text_of(tree, mutant):
    return (tree / mutant["file"]).read_text()


def copy():
    """The files of the checkout, beside each other, so that only what changed is built anew."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in files.decode().split("\0"):
        source, target = ROOT / name, TREE / "tree" / name
        if not name or not source.is_file():
            continue
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def plant(mutant):
    """Gives what of the simulation finds it, and whether the tests of its crate do."""
    path = TREE / "tree" / mutant["file"]
    whole = path.read_text()
    path.write_text(whole.replace(mutant["find"], mutant["replace"]))
    try:
        built = cargo("build", "--package", "simulation")
        if built.returncode:
            sys.exit(f"{mutant['name']} does not compile:\n{built.stderr}")
        return simulate(), test(mutant)
    finally:
        path.write_text(whole)


def simulate():
    for name, arguments in SIMULATION:
        started = time.monotonic()
        ran = subprocess.run(
            [TREE / "target" / "debug" / "simulation", *arguments], capture_output=True, text=True, cwd=TREE
        )
        if ran.returncode:
            first = ran.stdout.splitlines()[0] if ran.stdout else ""
            task = first.split(" failed;")[0]
            return f"{name}: {task}, in {time.monotonic() - started:.0f} s"
    return None


def test(mutant):
    # The crate that the file is in.
    folder = next(f for f in pathlib.PurePath(mutant["file"]).parents if (TREE / "tree" / f / "Cargo.toml").exists())
    manifest = tomllib.loads((TREE / "tree" / folder / "Cargo.toml").read_text())
    package = manifest["package"]["name"]
    ran = cargo("test", "--package", package, "--no-fail-fast")
    failed = sorted({line.split()[1] for line in ran.stdout.splitlines() if line.endswith("... FAILED")})
    if not ran.returncode:
        return None
    return f"{package}: {failed[0]}" + (f" and {len(failed) - 1} more" if failed[1:] else "") if failed else package


def cargo(*arguments):
    command = ["cargo", *arguments, "--locked", "--quiet", "--target-dir", str(TREE / "target")]
    return subprocess.run(command, cwd=TREE / "tree", capture_output=True, text=True)


main(sys.argv[1:])
