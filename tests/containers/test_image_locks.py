"""What the images install is pinned, complete as far as can be told, and one with the lock."""

import json
import re
import tomllib

import pytest
from image_replay import ROOT, Stage, ignored, instructions

from stacks.images import SOURCES

TRAINING_LIBRARIES = {"torch", "stable-baselines3", "finrl", "gymnasium", "numba"}
IMAGES = ("dashboard", "functions", "training")


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
    """An image's tag is the hash of its sources: a copied file outside them would not change it."""
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
        assert any(source == s or source.startswith(f"{s}/") for s in SOURCES[image]), source


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
