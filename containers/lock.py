"""Pin what each image installs: `python containers/lock.py`, after `make lock`.

Every image has its own `requirements.txt`: its extra of the project and its own `requirements.in`,
each library at the version of `requirements.lock`. `build.txt` pins what builds the project itself.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLATFORM = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28")
PLAIN = ("--no-header", "--no-annotate", "--quiet")
BUILD_BACKEND = "hatchling>=1.27"

# Image to the extra of the project that it runs; none is the serving path.
EXTRAS: Mapping[str, str | None] = {
    "functions": None,
    "training": "training",
    "dashboard": "dashboard",
}


def compile_pins(sources: Sequence[str], *options: str, given: str | None = None) -> str:
    """Return the pinned closure of some requirements."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *sources, *PLATFORM, *PLAIN, *options]
    return subprocess.run(  # noqa: S603 - our own interpreter, no shell
        command, cwd=ROOT, input=given, text=True, check=True, stdout=subprocess.PIPE
    ).stdout


def image_pins(image: str) -> str:
    """Return the pins of an image; torch's is its CPU build."""
    extra, own = EXTRAS[image], ROOT / "containers" / image / "requirements.in"
    sources = ["pyproject.toml", *([str(own.relative_to(ROOT))] if own.exists() else [])]
    options = ["--constraint", "requirements.lock", *(["--extra", extra] if extra else [])]
    lines = compile_pins(sources, *options).splitlines(keepends=True)
    return "".join(_cpu_build(line) for line in lines)


def _cpu_build(line: str) -> str:
    if not line.startswith("torch=="):
        return line
    return f"{line.strip().partition('+')[0]}+cpu\n"


def main() -> None:
    """Write every image's requirements and those of the build."""
    for image in EXTRAS:
        path = ROOT / "containers" / image / "requirements.txt"
        path.write_text(image_pins(image), encoding="utf-8")
    build = compile_pins(["-"], "--constraint", "requirements.lock", given=BUILD_BACKEND)
    (ROOT / "containers" / "build.txt").write_text(build, encoding="utf-8")


if __name__ == "__main__":
    main()
