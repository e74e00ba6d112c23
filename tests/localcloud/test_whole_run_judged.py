"""A whole run of the tests is judged by its permissions, and a part of one is not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from least_privilege import EXPECTED, judge_usage

from localcloud.identity.grants import Explanation

ROOT = Path(__file__).parents[2]
HOME = "/tmp/home"
CALLER = "arn:aws:sts::1:assumed-role/score/x"
SCORE = "score/inline#Read"
TEST = f"""
import json, os
from pathlib import Path

def test_something():
    (Path(os.environ["LOCALCLOUD_USAGE"]) / "home.json").write_text(json.dumps({{
        "home": "{HOME}", "grants": [["{SCORE}", "action", "s3:GetObject"]],
        "used": [], "denied": [["{CALLER}", "s3:PutObject", "arn:aws:s3:::runs/a"]],
    }}))

def test_more():
    assert True
"""


def usage(folder: Path, **more: Any) -> None:
    grants = [[SCORE, "action", "s3:GetObject"], ["rule", "action", "sns:Publish"]]
    used = [[SCORE, "s3:GetObject", "arn:aws:s3:::runs/a"]]
    body = {"home": HOME, "grants": grants, "used": used, "denied": [], **more}
    (folder / "one.json").write_text(json.dumps(body))


def expected(folder: Path, **more: str) -> None:
    (folder / EXPECTED).mkdir(exist_ok=True)
    body = {"home": HOME, "principal": "*/score/*", "action": "s3:*", "resource": "*runs*", **more}
    (folder / EXPECTED / "one.json").write_text(json.dumps(body))


def test_what_is_used_or_explained_is_right(tmp_path: Path) -> None:
    usage(tmp_path)
    wrong, said = judge_usage(tmp_path, [Explanation("rule", "*", "why")])
    assert wrong == []
    assert said == "1 of 2 grants used, 1 explained, 0 refusals, in 1 homes"


def test_what_is_neither_is_told(tmp_path: Path) -> None:
    usage(tmp_path)
    wrong, _ = judge_usage(tmp_path, [Explanation(SCORE, "*", "of what is used")])
    assert wrong == ["granted, never used: rule sns:Publish", f"explained for nothing: {SCORE} *"]


def test_only_the_refusals_of_an_expecting_home_are_expected(tmp_path: Path) -> None:
    reasons = [Explanation("rule", "*", "why")]
    usage(tmp_path, denied=[[CALLER, "s3:PutObject", "arn:aws:s3:::runs/a"]])
    told = [f"refused, expected by no test: s3:PutObject on arn:aws:s3:::runs/a to {CALLER}"]
    assert judge_usage(tmp_path, reasons)[0] == told
    for other in ({"home": "/tmp/other"}, {"action": "sns:*"}, {"principal": "*/rank/*"}):
        expected(tmp_path, **other)
        assert judge_usage(tmp_path, reasons)[0] == told
    expected(tmp_path)
    assert judge_usage(tmp_path, reasons)[0] == []


def test_a_run_without_clouds_proves_nothing(tmp_path: Path) -> None:
    assert judge_usage(tmp_path, [])[0] == ["no cloud left what it granted and used"]


@pytest.mark.slow
def test_a_whole_run_fails_for_what_is_wrong(tmp_path: Path) -> None:
    ran = run_tests(tmp_path, "-n", "2")
    assert ran.returncode == 1, ran.stdout
    assert f"granted, never used: {SCORE} s3:GetObject" in ran.stdout
    assert "refused, expected by no test: s3:PutObject" in ran.stdout
    assert "least privilege: 0 of 1 grants used, 0 explained, 1 refusals" in ran.stdout
    assert "1 failed, 2 passed" in ran.stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["-ksomething", "test_one.py"])
def test_a_part_is_not_judged(tmp_path: Path, chosen: str) -> None:
    ran = run_tests(tmp_path, chosen, LOCALCLOUD_USAGE=str(tmp_path))
    assert ran.returncode == 0, ran.stdout
    assert "least privilege" not in ran.stdout


def run_tests(folder: Path, *options: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run two tests in a folder of their own, as a project of which they are all the tests."""
    (folder / "tests").mkdir()
    (folder / "test_one.py").write_text("def test_alone():\n    pass\n")
    (folder / "tests" / "test_all.py").write_text(TEST)
    lines = ["[pytest]", "testpaths = tests", "markers =", "    slow: slow"]
    (folder / "pytest.ini").write_text("\n".join(lines))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "least_privilege", *options],
        cwd=folder,
        env={**kept, "PYTHONPATH": path, **more},
        capture_output=True,
        text=True,
        check=False,
    )
