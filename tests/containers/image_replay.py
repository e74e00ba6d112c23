"""Build an image's file system without Docker: replay its Dockerfile into empty folders.

Every stage gets a root of its own that holds nothing but a bare Python, as the base image does.
COPY takes what `.dockerignore` leaves of the checkout; RUN is carried out by the shell, with the
absolute paths of the image turned into paths below the root; `pip install` is done by uv, which
takes what it has in its cache. What needs a kernel (users, owners) is accepted without effect.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE_IMAGE = "python:3.11-slim"
FOLDERS = ("app", "build", "opt", "tmp", "var")
# Not inside a word, a URL or a longer path.
IMAGE_PATH = re.compile(rf"(?<![\w./:-])/(?=(?:{'|'.join(FOLDERS)})(?:/|\b))")
WITHOUT_EFFECT = frozenset({"EXPOSE", "HEALTHCHECK", "USER", "VOLUME"})
# How this machine reaches its package indexes.
OF_THE_MACHINE = re.compile(r"(PIP|SSL|UV)_|.*_PROXY$", re.IGNORECASE)
PIP = """\
#!/bin/sh
set -e
python={base}/bin/python
if [ "$1" = --python ]; then python=$2; shift 2; fi
[ "$1" = install ] || {{ echo "the replay knows pip install only, not $1" >&2; exit 64; }}
shift
{uv} pip install --offline --python "$python" "$@" 2>/dev/null \
    || exec {uv} pip install --python "$python" "$@"
"""


@dataclass
class Stage:
    """A stage: its root, and what its instructions left behind."""

    root: Path
    folder: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()

    def inside(self, path: str) -> Path:
        """Return where a path of the image lies; a relative one is below the working folder."""
        return self.root / (Path(self.folder) / path).relative_to("/")

    def placed(self, text: str) -> str:
        """Return a text with the image's absolute paths turned into paths below the root."""
        return IMAGE_PATH.sub(f"{self.root}/", text)

    @property
    def base(self) -> Path:
        """The base image's own Python."""
        return self.root / "usr" / "local"

    def variables(self) -> dict[str, str]:
        """Return the environment of a process in the image: nothing of this process's."""
        path = f"{self.base / 'bin'}:/usr/bin:/bin"
        named = {name: self.placed(value) for name, value in self.environment.items()}
        named["PATH"] = named.get("PATH", "$PATH").replace("$PATH", path)
        return {"LANG": "C.UTF-8", **named}

    def command(self, *arguments: str) -> list[str]:
        """Return the entry point with further arguments, its program as the image finds it."""
        program, *rest = (*self.entrypoint, *arguments)
        found = shutil.which(program, path=self.variables()["PATH"])
        assert found, f"{program} is not in the image"
        return [found, *rest]


def replay(image: str, folder: Path) -> Stage:
    """Replay `containers/<image>/Dockerfile` below a folder; return its last stage."""
    context = _context(folder / "context")
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    text = (ROOT / "containers" / image / "Dockerfile").read_text(encoding="utf-8")
    for name, value in instructions(text):
        if name == "FROM":
            base, _, alias = value.partition(" AS ")
            assert base == BASE_IMAGE, f"the replay stands on {BASE_IMAGE}, not {base}"
            stage = _begin(folder / f"stage-{len(stages)}")
            stages[alias or "last"] = stage
        elif name == "ENV":
            stage.environment |= _assignments(value)
        elif name == "WORKDIR":
            stage.folder = value
            stage.inside(".").mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            _copy(value.split(), stage, stages, context)
        elif name == "RUN":
            _run(value, stage)
        elif name == "ENTRYPOINT":
            stage.entrypoint = tuple(json.loads(value))
        else:
            assert name in WITHOUT_EFFECT, f"the replay does not know {name}"
    return stage


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Yield the instructions of a Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, value = line.strip().partition(" ")
            yield name.upper(), " ".join(value.split())


def _assignments(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split())


def _begin(root: Path) -> Stage:
    stage = Stage(root)
    for folder in ("tmp", "usr/local"):
        (root / folder).mkdir(parents=True)
    _call([sys.executable, "-m", "venv", "--without-pip", str(stage.base)], {}, root)
    uv = f"{sys.executable} -m uv"
    _script(stage.base / "bin" / "pip", PIP.format(base=stage.base, uv=uv))
    for name in ("chown", "useradd"):
        _script(stage.base / "bin" / name, "#!/bin/sh\n")
    return stage


def _script(path: Path, text: str) -> None:
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    path.chmod(0o755)


def _context(folder: Path) -> Path:
    """Copy what Docker would be sent: all but what `.dockerignore` names."""
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if not ignored(name, patterns) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def ignored(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether `.dockerignore` leaves a file out: the last pattern that matches it decides.

    A pattern is a name at the top, or `**/` and a name anywhere; what lies below goes with it.
    """
    parts = Path(name).parts
    out = False
    for pattern in patterns:
        if not pattern or pattern.startswith("#"):
            continue
        wanted = pattern.removeprefix("!")
        anywhere = wanted.startswith("**/")
        wanted = wanted.removeprefix("**/")
        assert "/" not in wanted, f"the replay does not know the pattern {pattern}"
        if any(fnmatchcase(part, wanted) for part in (parts if anywhere else parts[:1])):
            out = not pattern.startswith("!")
    return out


def _copy(words: Sequence[str], stage: Stage, stages: Mapping[str, Stage], context: Path) -> None:
    origin: Path | None = None
    if words[0].startswith("--from="):
        origin, words = stages[words[0].removeprefix("--from=")].root, words[1:]
    *sources, target = words
    goal = stage.inside(target)
    for source in sources:
        found = (origin or context) / source.lstrip("/")
        assert found.exists(), f"COPY {source}: there is nothing of that name"
        if found.is_dir():
            shutil.copytree(found, goal, symlinks=True, dirs_exist_ok=True)
        else:
            file = goal / found.name if target.endswith("/") or goal.is_dir() else goal
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, file)


def _run(line: str, stage: Stage) -> None:
    installing = {
        "HOME": str(Path.home()),
        # As pip does.
        "UV_COMPILE_BYTECODE": "1",
        "UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", ""),
        **{name: value for name, value in os.environ.items() if OF_THE_MACHINE.match(name)},
    }
    script = ["/bin/sh", "-ec", stage.placed(line)]
    _call(script, {**installing, **stage.variables()}, stage.inside("."))


def _call(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
