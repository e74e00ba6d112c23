"""`python -m localcloud`: run the embedded cloud, deploy to it, read what it decided."""

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from localcloud.errors import CloudError
from localcloud.lifetime import stop_requested

DEPLOYED = ("created", "restored", "updated", "replaced", "unchanged", "deleted", "seconds")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m localcloud", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run a cloud until it is told to stop")
    serve.add_argument("--home", type=Path, required=True, help="folder of the cloud's state")
    serve.add_argument("--port", type=int, default=0, help="TCP port; 0 takes a free one")
    serve.add_argument("--no-deploy", action="store_true", help="leave the stack as it is")
    changing = {
        "preview": "print what deploying would change",
        "destroy": "delete everything that was deployed, stored data included",
    }
    for name, what in changing.items():
        command = commands.add_parser(name, help=what)
        command.add_argument("--home", type=Path, required=True, help="folder of the cloud's state")
    for command in (serve, *(commands.choices[name] for name in changing)):
        command.add_argument("--stack", default="dev", help="Pulumi stack to deploy")
        command.add_argument("--config", default="{}", help="JSON object of stack configuration")
    audit = commands.add_parser("audit", help="print what was granted, used and denied, by role")
    of = audit.add_mutually_exclusive_group(required=True)
    of.add_argument("--home", type=Path, help="folder of the cloud's state")
    of.add_argument("--usage", type=Path, help="folder that $LOCALCLOUD_USAGE named in many runs")
    audit.add_argument("--calls", action="store_true", help="every call that was decided")
    audit.add_argument("--denied", action="store_true", help="every call that was denied")
    audit.add_argument(
        "--unused", action="store_true", help="granted permissions that no call has used"
    )
    audit.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    if options.command in changing:
        return _change(options)
    return _serve(options) if options.command == "serve" else _audit(options)


def _serve(options: argparse.Namespace) -> int:
    stop = stop_requested()
    cloud = None
    try:
        _say(event="phase", name="starting")
        from localcloud.home import Home, RunningCloud

        home = Home(options.home)
        _log_to(home.path / "logs")
        from localcloud.server import Cloud

        cloud = Cloud(home, port=options.port, stack=options.stack)
        context = cloud.context
        outputs = home.outputs() if options.no_deploy else _deploy(context, home, options.config)
        cloud.begin()
        keys = context.operator
        running = RunningCloud(os.getpid(), context.endpoint, context.region, keys, outputs)
        home.announce(running, deployed=not options.no_deploy)
        _say(
            event="ready",
            endpoint=running.endpoint,
            region=running.region,
            access_key_id=keys.access_key_id,
            secret_access_key=keys.secret_access_key,
            outputs=outputs,
        )
        stop.wait()
    except (CloudError, OSError) as error:
        _say(event="error", error=str(error))
        return 1
    except Exception as error:
        logging.getLogger("localcloud").exception("the cloud failed")
        place = options.home / "logs" / "cloud.log"
        _say(
            event="error",
            error=f"{type(error).__name__}: {error} (an unexpected failure of the "
            f"embedded cloud; see {place})",
        )
        return 1
    finally:
        if cloud is not None:
            cloud.stop()
    return 0


def _deploy(context: Any, home: Any, config: str) -> dict[str, Any]:
    """Bring the stack up to date, say what became of it, and return its outputs."""
    from localcloud.deployment import deploy

    _say(event="phase", name="deploying")
    deployment = deploy(context, config)
    outputs = dict(deployment["outputs"])
    home.keep_outputs(outputs)
    _say(event="deployed", **{name: deployment[name] for name in DEPLOYED})
    return outputs


def _change(options: argparse.Namespace) -> int:
    """Run the deployer on the home's cloud, or on one that lives as long as this takes."""
    from localcloud.context import REPOSITORY
    from localcloud.deployment import deploy, deploy_to
    from localcloud.home import Home, find_running

    try:
        running = find_running(options.home)
        if running is not None:
            result = deploy_to(
                running,
                options.home,
                REPOSITORY,
                stack=options.stack,
                config=options.config,
                command=options.command,
            )
        else:
            home = Home(options.home)
            _log_to(home.path / "logs")
            from localcloud.server import Cloud

            cloud = Cloud(home, stack=options.stack)
            try:
                result = deploy(cloud.context, options.config, options.command)
            finally:
                cloud.stop()
    except (CloudError, OSError) as error:
        _say(error=str(error))
        return 1
    _say(**result)
    return 0


def _audit(options: argparse.Namespace) -> int:
    from localcloud.identity.audit import read_audit

    if options.unused or options.usage is not None:
        return _unused(options)
    if not (options.calls or options.denied):
        return _summarise(options)
    for found in read_audit(options.home / "audit.jsonl", denied_only=options.denied):
        if options.json:
            line = json.dumps(found)
        else:
            line = " ".join(
                str(found[name] or "-")
                for name in ("time", "decision", "principal", "action", "resource", "statement")
            )
        sys.stdout.write(line + "\n")
    return 0


def _summarise(options: argparse.Namespace) -> int:
    from localcloud.identity.audit_summary import audit_summary

    try:
        found = audit_summary(options.home)
    except CloudError as error:
        _say(error=str(error))
        return 1
    told = [json.dumps(found.to_dict())] if options.json else found.lines()
    sys.stdout.write("\n".join((*told, "")))
    return 0


def _unused(options: argparse.Namespace) -> int:
    """Print what deployments grant and no call has used, and why where that is known.

    Over many runs (`--usage`) the explanations that do not hold are printed as well, and the status
    is 1 while there is one, or one grant is neither used nor explained.
    """
    from localcloud.deployment import STATE
    from localcloud.identity.audit import read_audit
    from localcloud.identity.grants import explanations, granted, judge_grants
    from localcloud.identity.usage import load_usage

    if options.usage is not None:
        usage = load_usage(options.usage)
        found = judge_grants(usage.grants, usage.used, explanations())
    else:
        try:
            deployment = json.loads((options.home / STATE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            _say(error=f"nothing is deployed in {options.home}; run `trading month` first")
            return 1
        audit = read_audit(options.home / "audit.jsonl")
        found = judge_grants(granted(deployment), audit, explanations())
    for one in sorted([*found.explained, *found.unexplained]):
        reason = found.explained.get(one)
        named = {"statement": one.statement, one.kind: one.pattern, "reason": reason}
        words = (one.statement, one.pattern, f"({reason})" if reason else "UNEXPLAINED")
        sys.stdout.write((json.dumps(named) if options.json else " ".join(words)) + "\n")
    if options.usage is None:
        return 0
    for why in found.stale:
        named = {"statement": why.statement, "pattern": why.pattern, "stale": why.reason}
        words = (why.statement, why.pattern, f"STALE ({why.reason})")
        sys.stdout.write((json.dumps(named) if options.json else " ".join(words)) + "\n")
    return int(bool(found.unexplained or found.stale))


def _log_to(folder: Path) -> None:
    """Send the warnings of the cloud and of moto to a file: standard output is for events."""
    folder.mkdir(exist_ok=True)
    handler = logging.FileHandler(folder / "cloud.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


def _say(**event: Any) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
