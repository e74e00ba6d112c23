"""What a training image runs, read from the Dockerfile that builds it."""

import json
import shlex
import sys
from pathlib import Path

from localcloud.errors import CloudError


def repository_of(image: str) -> str:
    """Return the repository in an image's URI: `<registry>/<repository>[:tag][@digest]`."""
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[0]


def entry_point(image: str, containers: Path) -> list[str]:
    """Return the command that an image starts with, on this machine's Python.

    The last word of the repository's name, after a dash, is the folder of its Dockerfile:
    `trading-dev-training` is built from `containers/training/Dockerfile`. Raises `CloudError` when
    there is none, or its ENTRYPOINT is not a JSON array.
    """
    repository = repository_of(image)
    dockerfile = containers / repository.rpartition("-")[2] / "Dockerfile"
    if not dockerfile.is_file():
        raise CloudError(
            f"the image {image} cannot be run here: expected its Dockerfile at {dockerfile}"
        )
    entry = None
    for line in _instructions(dockerfile.read_text(encoding="utf-8")):
        word, _, rest = line.partition(" ")
        if word.upper() == "ENTRYPOINT":
            entry = rest.strip()
    command = _words(entry, dockerfile)
    name = Path(command[0]).name
    if name in {"python", "python3"} or name.startswith("python3."):
        command[0] = sys.executable
    return command


def _instructions(text: str) -> list[str]:
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(kept).replace("\\\n", " ").splitlines()


def _words(entry: str | None, dockerfile: Path) -> list[str]:
    if entry is None:
        raise CloudError(f"{dockerfile} has no ENTRYPOINT; a training image needs one")
    try:
        words = json.loads(entry)
    except json.JSONDecodeError:
        words = None
    if not isinstance(words, list) or not words or not all(isinstance(w, str) for w in words):
        raise CloudError(
            f"the ENTRYPOINT of {dockerfile} must be a JSON array of words, not {entry!r} (the "
            f"shell form loses SIGTERM); write {json.dumps(shlex.split(entry))}"
        )
    return list(words)
