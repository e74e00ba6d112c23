"""Least privilege, proven by the whole run: what was granted was used, what was denied was meant.

Every embedded cloud of a whole run (`make test`) leaves in one folder what it granted, used and
refused. At its end the run fails for each grant that nothing used and that no reason in
`localcloud/identity/unproven_grants.yaml` explains, for each reason that does not hold, and for
each refusal that no test said it expects. A part of the tests is not judged.
"""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from localcloud.identity.audit import read_audit
from localcloud.identity.conditions import pattern
from localcloud.identity.grants import Explanation, explanations, judge_grants
from localcloud.identity.usage import USAGE, Refusal, load_usage

WHOLE = ("", "not soak")
EXPECTED = "expected"
JUDGED = "least privilege"
ExpectRefused = Callable[[Path, str, str, str], None]


def pytest_configure(config: pytest.Config) -> None:
    if is_whole(config):
        config.pluginmanager.register(LeastPrivilege(), "least_privilege_judge")


def is_whole(config: pytest.Config) -> bool:
    """Tell whether this process leads a run of all tests, the studies of `make soak` left out."""
    option = config.option
    chosen = (option.keyword, option.deselect, option.ignore, option.ignore_glob, option.maxfail)
    return (
        not hasattr(config, "workerinput")
        and config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and option.markexpr in WHOLE
        and not any(chosen)
        and not option.collectonly
        and not any(
            getattr(option, name, False) for name in ("lf", "stepwise", "setuponly", "setupplan")
        )
    )


class LeastPrivilege:
    """Collects in a folder of its own, which workers and clouds inherit, and judges at the end."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="usage-"))
        self._said = "not judged, since the run did not pass"
        os.environ[USAGE] = str(self._folder)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge a run that passed; what is wrong counts, and is printed, as a failed test."""
        if exitstatus != pytest.ExitCode.OK:
            return
        wrong, self._said = judge_usage(self._folder, explanations())
        if wrong:
            session.config.hook.pytest_runtest_logreport(report=failure(wrong))
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print one line, before the summary of the tests."""
        terminalreporter.write_line(f"{JUDGED}: {self._said}")

    def pytest_unconfigure(self) -> None:
        """Leave nothing behind."""
        os.environ.pop(USAGE, None)
        shutil.rmtree(self._folder, ignore_errors=True)


def judge_usage(folder: Path, reasons: Sequence[Explanation]) -> tuple[list[str], str]:
    """Return what is wrong with the collected usage, a line each, and the figures in a sentence."""
    usage, expected = load_usage(folder), load_expected(folder)
    found = judge_grants(usage.grants, usage.used, reasons)
    wrong = [
        *(f"granted, never used: {g.statement} {g.pattern}" for g in found.unexplained),
        *(f"explained for nothing: {e.statement} {e.pattern}" for e in found.stale),
        *(
            f"refused, expected by no test: {one.action} on {one.resource} to {one.principal}"
            for one in usage.refused
            if not any(covers(other, one) for other in expected)
        ),
    ]
    if not usage.homes:
        wrong.append("no cloud left what it granted and used")
    return wrong, (
        f"{len(found.used)} of {len(usage.grants)} grants used, {len(found.explained)} explained, "
        f"{len(usage.refused)} refusals, in {len(usage.homes)} homes"
    )


def load_expected(folder: Path) -> list[Refusal]:
    """Return the refusals that tests said they expect, as patterns."""
    paths = (folder / EXPECTED).glob("*.json")
    return [Refusal(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def covers(expected: Refusal, found: Refusal) -> bool:
    """Tell whether a refusal is the expected one, in the same home."""
    return expected.home == found.home and all(
        pattern(getattr(expected, name)).fullmatch(getattr(found, name))
        for name in ("principal", "action", "resource")
    )


def failure(wrong: Sequence[str]) -> pytest.TestReport:
    """Return the report of a failed test."""
    place = (Path(__file__).name, None, JUDGED)
    text = "\n".join([f"{len(wrong)} findings (docs/security.md):", *wrong])
    return pytest.TestReport(JUDGED, place, {}, "failed", text, "call")


@pytest.fixture
def expect_refused() -> Iterator[ExpectRefused]:
    """Say, before it happens, that a home's cloud will refuse a principal an action on a resource.

    All three are patterns. The test fails when at its end the home's audit has no such refusal.
    """
    said: list[Refusal] = []

    def expect(home: Path, principal: str, action: str, resource: str) -> None:
        said.append(Refusal(str(home), principal, action, resource))
        folder = os.environ.get(USAGE)
        if folder:
            kept = Path(folder) / EXPECTED
            kept.mkdir(parents=True, exist_ok=True)
            text = json.dumps(asdict(said[-1]))
            (kept / f"{uuid.uuid4().hex}.json").write_text(text, encoding="utf-8")

    yield expect
    for wanted in said:
        denied = read_audit(Path(wanted.home) / "audit.jsonl", denied_only=True)
        found = [
            Refusal(wanted.home, one["principal"], one["action"], one["resource"]) for one in denied
        ]
        assert any(covers(wanted, one) for one in found), (wanted, found)
