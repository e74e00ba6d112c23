"""Compile a function to machine code once per machine.

numba's cache of a function does not notice changes in the functions that it calls. The cache lies
therefore in a folder named after the sources of all compiled functions.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")

KEPT_DAYS = 30
_IMPORTS = re.compile(r"^from (trading[.\w]*) import", re.MULTILINE)


def _compiled_sources(root: Path) -> list[Path]:
    """Return the files with compiled functions, and those that they take names from."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(root.rglob("*.py"))}
    found = {path for path, text in texts.items() if "from trading.compiled import" in text}
    for path in sorted(found):
        modules = _IMPORTS.findall(texts[path])
        found |= {root.parent / f"{module.replace('.', '/')}.py" for module in modules}
    return sorted(found & set(texts))


def _cache_directory() -> Path:
    root = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in _compiled_sources(root):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(base) / "trading" / "compiled" / digest.hexdigest()[:16]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.touch()
        _forget_old(directory.parent)
    except OSError:
        # No home to write to: compile for this process alone.
        return Path(tempfile.mkdtemp(prefix="trading-compiled-"))
    return directory


def _forget_old(folder: Path) -> None:
    """Remove what sources of weeks ago were compiled to."""
    oldest = time.time() - KEPT_DAYS * 86_400
    for directory in folder.iterdir():
        if directory.stat().st_mtime < oldest:
            shutil.rmtree(directory, ignore_errors=True)


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(_cache_directory())
    numba.config.reload_config()  # type: ignore[no-untyped-call]


def is_compiled(function_name: str) -> bool:
    """Tell whether some run on this machine has compiled a function of the present sources."""
    cache = Path(os.environ["NUMBA_CACHE_DIR"])
    return any(cache.rglob(f"*.{function_name}-*.nbi"))


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled by numba, without the interpreter's lock; division by 0 is NaN."""
    return _compile(function)


def summing(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled with leave to add several terms of a sum at a time, and fused.

    The order is fixed by the number of terms: the same arrays give the same bits.
    """
    return _compile(function, fastmath={"reassoc", "nsz", "contract"})


def inner(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that only compiled functions call: it needs no door from Python.

    It becomes part of its callers: handing over an account, which is dozens of words, would cost
    more than most of these functions do.
    """
    return _compile(function, no_cpython_wrapper=True, forceinline=True)


def _compile(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    jit: Any = numba.njit(cache=True, nogil=True, error_model="numpy", **options)
    machine_code: Callable[P, R] = jit(function)
    return machine_code
