"""Holds what is deployed against what is built: `./dev deploy` runs it in the root of the repository.

- each metric of the dashboard and the alerts is one that the code has, or a rule records
- each setting is one that `hitmill settings` knows
- each image is of one version
- the alerts are YAML and the dashboards JSON: else it could not read them
"""

import json
import re
import sys
from pathlib import Path

import yaml

DEPLOY = Path("deploy")
DASHBOARDS = list(DEPLOY.glob("grafana/dashboards/*.json"))
RULES = DEPLOY / "prometheus/alerts.yml"
TOLD = [Path("compose.yaml"), Path("Dockerfile"), *DEPLOY.glob("kubernetes/*.yaml")]
# What Prometheus makes of a histogram.
SUFFIXES = ("_bucket", "_sum", "_count")


def main():
    wrong = [*unknown_metrics(), *unknown_settings(), *loose_images()]
    for line in wrong:
        print(line, file=sys.stderr)
    sys.exit(1 if wrong else 0)


def unknown_metrics():
    known = {name for file in sources() for name in re.findall(r'"((?:hitmill|process)_\w+)"', file)}
    known |= {rule["record"] for rule in rules() if "record" in rule}
    # The metrics of the process are written as text, with their names after `# TYPE` or in a format string.
    known |= {name for file in sources() for name in re.findall(r"\b(process_\w+)", file)}
    for where, query in queries():
        for name in re.findall(r"\b(?:hitmill|process)_\w+", query):
            plain = next((name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), name)
            if not {name, plain} & known:
                yield f"{where}: nothing in the code is named {name}"


def queries():
    for file in DASHBOARDS:
        dashboard = json.loads(file.read_text())
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield f'{file}, {panel["title"]}', target["expr"]
    for rule in rules():
        yield f'{RULES}, {rule.get("alert") or rule["record"]}', rule["expr"]


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def unknown_settings():
    # One line for each setting; a test holds it against the settings themselves.
    known = set(re.findall(r'"(\w+(?:\.\w+)+)"', Path("hitmill/src/settings/meanings.rs").read_text()))
    for file in TOLD:
        for variable in re.findall(r"\bHITMILL_\w+__\w+", file.read_text()):
            name = variable.removeprefix("HITMILL_").replace("__", ".").lower()
            if name not in known:
                yield f"{file}: no setting is named {name} ({variable})"


def loose_images():
    for file in TOLD:
        for image in re.findall(r"(?:\bimage:|^FROM) (\S+)", file.read_text(), re.MULTILINE):
            version = image.rpartition(":")[2]
            ours = image == "hitmill" or image.startswith("hitmill:$") or image in ("scratch", "base")
            if not ours and not re.match(r"v?\d+\.\d+\.\d+", version):
                yield f"{file}: {image} is not of one version"


def sources():
    return (f.read_text() for f in Path(".").glob("*/**/*.rs") if f.parts[0] != "target")


main()
