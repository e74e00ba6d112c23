"""The runbook speaks of what there is: every alarm, and no command that does not exist."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import typer

from stackcheck.recording import Recording
from trading.cli.app import app

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ANCHORS = {
    re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
    for title in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
}
SPANS = [
    *re.findall(r"`(trading [^`\n]+)`", RUNBOOK),
    *re.findall(r"^(trading .+)$", RUNBOOK, re.MULTILINE),
    *re.findall(r"\| (trading [^)\"]+)", RUNBOOK),
]
STANDS_FOR = {"VERSION": "abc", "...": "why"}
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"


@pytest.mark.slow
@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_every_alarm_links_to_a_section_that_exists(
    stack: str, recorded: Callable[..., Recording]
) -> None:
    alarms = [one for one in recorded(stack).resources if one.type == ALARM]
    assert len(alarms) > 20
    linked = {
        found[1]
        for alarm in alarms
        if (found := re.search(r"docs/operations\.md#([\w-]+)$", alarm.inputs["alarmDescription"]))
    }
    unlinked = [a.name for a in alarms if "docs/operations.md#" not in a.inputs["alarmDescription"]]
    assert not unlinked
    assert not linked - ANCHORS


@pytest.mark.slow
def test_without_protection_everything_goes_as_tear_down_says(
    recorded: Callable[..., Recording],
) -> None:
    told = RUNBOOK.partition("## Tear down")[2].partition("\n## ")[0]
    gone = {
        "aws:s3/bucket:Bucket": ("forceDestroy", True, "deletes buckets"),
        "aws:ecr/repository:Repository": ("forceDelete", True, "registries with everything"),
        "aws:kms/key:Key": ("deletionWindowInDays", 7, "encryption wait 7 days"),
        "aws:secretsmanager/secret:Secret": ("recoveryWindowInDays", 7, "providers wait 7 days"),
    }
    resources = recorded("dev", protect="false").resources
    for kind, (name, value, sentence) in gone.items():
        found = [one.inputs for one in resources if one.type == kind]
        assert found
        assert {one.get(name) for one in found} == {value}, kind
        assert sentence in told
    secrets = [one.inputs["name"] for one in resources if one.type.endswith(":Secret")]
    (looped,) = re.findall(r"for provider in ([\w ]+); do", told)
    assert {f"trading-dev/providers/{one}" for one in looped.split()} == set(secrets)


def test_links_within_the_runbook_lead_somewhere() -> None:
    assert set(re.findall(r"\]\(#([\w-]+)\)", RUNBOOK)) <= ANCHORS
    files = set(re.findall(r"\]\((\w[\w-]*\.md)", RUNBOOK))
    assert all((ROOT / "docs" / name).exists() for name in files)


@pytest.mark.parametrize("line", sorted(set(SPANS)))
def test_every_command_of_the_runbook_exists_with_its_options(line: str) -> None:
    words = [STANDS_FOR.get(word, word) for word in shlex.split(line)[1:]]
    command: Any = typer.main.get_command(app)
    while isinstance(command, click.Group) or hasattr(command, "commands"):
        assert words, f"{line} names no command"
        assert words[0] in command.commands, f"{line}: there is no {words[0]}"
        command = command.commands[words.pop(0)]
    flags = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= flags


def test_the_runbook_names_commands_at_all() -> None:
    named = {shlex.split(line)[1] for line in SPANS}
    assert {"pause", "resume", "approve", "reject", "redrive", "rollback", "withdraw"} <= named
