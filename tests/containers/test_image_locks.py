"""What the images install is pinned, complete as far as can be told, and one with the lock."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from image_replay import ROOT, Stage, ignored, instructions

from stacks.images import CONTEXT, IMAGES, source_hash

TRAINING_LIBRARIES = {"torch", "stable-baselines3", "finrl", "gymnasium", "numba"}


def pins(path: str) -> dict[str, str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    found = {}
    for line in text.splitlines():
        name, equals, version = line.partition("==")
        assert equals, f"{path}: {line} is not pinned"
        found[name] = version.partition("+")[0]
    return found


def name_of(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower()


@pytest.mark.parametrize("image", IMAGES)
def test_every_pin_is_that_of_the_lock(image: str) -> None:
    lock, own = pins("requirements.lock"), pins(f"containers/{image}/requirements.txt")
    assert {name: version for name, version in own.items() if lock.get(name) != version} == {}


@pytest.mark.parametrize(
    ("image", "extra"), [("functions", None), ("training", "training"), ("dashboard", "dashboard")]
)
def test_an_image_has_what_its_part_of_the_project_names(image: str, extra: str | None) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"]]
    asked += project["optional-dependencies"][extra] if extra else []
    own = ROOT / "containers" / image / "requirements.in"
    if own.exists():
        asked += [line for line in own.read_text().splitlines() if not line.startswith("#")]
    assert {name_of(one) for one in asked} <= set(pins(f"containers/{image}/requirements.txt"))


@pytest.mark.parametrize("image", ["dashboard", "functions"])
def test_serving_images_hold_no_training_library(image: str) -> None:
    assert TRAINING_LIBRARIES & set(pins(f"containers/{image}/requirements.txt")) == set()


def test_torch_is_the_build_for_processors() -> None:
    text = (ROOT / "containers/training/requirements.txt").read_text(encoding="utf-8")
    assert re.search(r"^torch==[\d.]+\+cpu$", text, re.MULTILINE)
    assert "nvidia" not in text


@pytest.mark.parametrize("image", IMAGES)
def test_whatever_is_copied_is_sent_and_part_of_the_tag(image: str) -> None:
    """A tag is the hash of the context: a copied file outside it would not change the tag."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    text = (ROOT / "containers" / image / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        source
        for name, value in instructions(text)
        if name == "COPY" and "--from=" not in value
        for source in value.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert not ignored(source, patterns), source
        assert any(source == s or source.startswith(f"{s}/") for s in CONTEXT), source


def test_the_tag_changes_with_every_file_that_docker_is_sent(tmp_path: Path) -> None:
    """The provider builds anew when any of them changes, and no registry lets a tag move."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = [file for name in names_at_the_top(patterns) for file in sent_below(name, patterns)]
    of_each_folder = {file.parent: file for file in sent}.values()
    assert {"functions", "streamlit_app", "containers/dashboard", "src/trading"} <= {
        file.parent.as_posix() for file in of_each_folder
    }
    for file in of_each_folder:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    tags = [source_hash(tmp_path, CONTEXT)]
    for file in of_each_folder:
        (tmp_path / file).write_text("changed", encoding="utf-8")
        tags.append(source_hash(tmp_path, CONTEXT))
        assert tags[-1] != tags[-2], file


def names_at_the_top(patterns: Sequence[str]) -> list[str]:
    return [pattern[1:] for pattern in patterns if pattern.startswith("!")]


def sent_below(name: str, patterns: Sequence[str]) -> list[Path]:
    files = [ROOT / name, *sorted((ROOT / name).rglob("*"))]
    below = [file.relative_to(ROOT) for file in files if file.is_file()]
    return [file for file in below if not ignored(file.as_posix(), patterns)]


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("src/trading/errors.py", False),
        ("src/trading/__pycache__/errors.cpython-311.pyc", True),
        ("tests/conftest.py", True),
        ("requirements.lock", True),
        ("config/default.yaml", False),
        (".env", True),
        ("docs/README.md", True),
    ],
)
def test_what_docker_is_sent(name: str, out: bool) -> None:
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored(name, patterns) is out


@pytest.mark.parametrize("image", IMAGES)
def test_a_dockerfile_ends_in_a_plain_entry_point(image: str) -> None:
    text = (ROOT / "containers" / image / "Dockerfile").read_text(encoding="utf-8")
    name, value = list(instructions(text))[-1]
    assert name == "ENTRYPOINT"
    assert json.loads(value)[:2] == ["python", "-m"]


def test_paths_of_the_image_are_found_in_commands_and_nowhere_else(tmp_path) -> None:
    stage = Stage(tmp_path)
    assert stage.placed("pip install /opt/venv --index https://example.org/opt/x a/opt") == (
        f"pip install {tmp_path}/opt/venv --index https://example.org/opt/x a/opt"
    )
