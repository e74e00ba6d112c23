"""`python -m stackcheck graph|snapshot|check`: the program seen from outside."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from stackcheck.errors import StackCheckError
from stackcheck.graph import FOLDER, graph, path_of, snapshots
from stackcheck.plan import Terraform
from stackcheck.recording import STACKS, record
from stackcheck.references import dangling
from stackcheck.scan import excuses, scan
from stackcheck.values import refused


def main() -> int:
    """Run a command; exit status 1 means that something was found, or failed."""
    parser = argparse.ArgumentParser(prog="stackcheck", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shown = commands.add_parser("graph", help="print the graph of an environment's resources")
    shown.add_argument("stack", choices=STACKS)
    commands.add_parser("snapshot", help="write the graphs that the tests compare with")
    checked = commands.add_parser("check", help="plan an environment with the real AWS provider")
    checked.add_argument("stack", choices=STACKS)
    checked.add_argument("--scan", action="store_true", help="let checkov judge the plan too")
    checked.add_argument("--plan", type=Path, help="keep the plan as JSON in this file")
    options = parser.parse_args()
    try:
        if options.command == "graph":
            sys.stdout.write(graph(record(options.stack)))
        elif options.command == "snapshot":
            write_snapshots()
        else:
            return check(options.stack, with_scan=options.scan, plan_file=options.plan)
    except StackCheckError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def write_snapshots() -> None:
    """Write the snapshots of all environments."""
    FOLDER.mkdir(exist_ok=True)
    for stack, text in snapshots({stack: record(stack) for stack in STACKS}).items():
        path_of(stack).write_text(text, encoding="utf-8")


def check(stack: str, *, with_scan: bool, plan_file: Path | None) -> int:
    """Print whatever is wrong with an environment, and return 1 if anything is."""
    recording = record(stack)
    found = [str(one) for one in (*refused(recording), *dangling(recording))]
    with tempfile.TemporaryDirectory() as folder:
        terraform = Terraform(Path(folder))
        found += [str(one) for one in terraform.validate(recording, referenced=False)]
        planned = terraform.plan(recording, referenced=True)
        if plan_file is not None:
            plan_file.write_text(json.dumps(planned), encoding="utf-8")
        if with_scan:
            failed = [one for one in scan(planned, Path(folder)) if one.rule not in excuses()]
            found += [f"{one.resource}: {one.rule} {one.says}" for one in failed]
    for line in found:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{stack}: {len(recording.aws)} resources, {len(found)} findings\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
