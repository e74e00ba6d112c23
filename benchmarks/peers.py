"""The virtual environment of the peers: made once, from pinned requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FOLDER = Path(__file__).with_name(".venv-peers")


class SetupError(Exception):
    """The environment of the peers could not be made."""


def peers_python(folder: Path = FOLDER) -> Path:
    """Return the interpreter that has vectorbt, bt and backtrader; make its environment if needed.

    Raises `SetupError` with the installer's last words.
    """
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing the peers into {folder} (once)", file=sys.stderr)
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise SetupError("uv is not installed; run `make setup` first")
    # pip's folder of wheels, where one is set, serves uv too.
    environment = {**os.environ, "UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "")}
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(REQUIREMENTS)],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SetupError(f"{' '.join(command[1:4])} failed: {done.stderr.strip()[-2000:]}")
    stamp.write_text(wanted)
    return python
