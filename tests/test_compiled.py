"""The cache of compiled code: it is left when any source of compiled functions changes."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import trading

SOURCE = Path(trading.__file__).parent


def cache_of(root: Path, home: Path) -> str:
    script = "import os, trading.compiled; print(os.environ['NUMBA_CACHE_DIR'])"
    environment = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(home), "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_a_changed_function_or_constant_is_compiled_anew(tmp_path: Path) -> None:
    copied = tmp_path / "src" / "trading"
    shutil.copytree(SOURCE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    home = tmp_path / "cache"
    before = cache_of(tmp_path / "src", home)
    assert before.startswith(str(home))
    assert cache_of(tmp_path / "src", home) == before
    found = {before}
    for name in ("execution/matching.py", "execution/book.py"):
        with (copied / name).open("a", encoding="utf-8") as file:
            file.write("\n# another\n")
        found.add(cache_of(tmp_path / "src", home))
    assert len(found) == 3
    with (copied / "cli" / "app.py").open("a", encoding="utf-8") as file:
        file.write("\n# another\n")
    assert cache_of(tmp_path / "src", home) in found


def test_old_caches_are_forgotten_and_no_home_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / "trading" / "compiled"
    for name, age in (("old", 40 * 86_400), ("recent", 5 * 86_400)):
        (folder / name).mkdir(parents=True)
        then = time.time() - age
        os.utime(folder / name, (then, then))
    cache_of(SOURCE.parent, tmp_path)
    assert not (folder / "old").exists()
    assert (folder / "recent").exists()
    blocked = tmp_path / "file"
    blocked.write_text("")
    elsewhere = cache_of(SOURCE.parent, blocked)
    assert Path(elsewhere).is_dir()
    Path(elsewhere).rmdir()
