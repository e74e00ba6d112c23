"""Compile a function to machine code once per machine.

numba's cache of a function does not notice changes in the functions that it calls. The cache lies
therefore in a folder named after the sources of every package that holds compiled code.
"""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba

PACKAGES = ("market", "execution", "strategy", "risk", "backtest")

P = ParamSpec("P")
R = TypeVar("R")


def _cache_directory() -> Path:
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "trading" / "compiled" / digest.hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(_cache_directory())
    numba.config.reload_config()


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled by numba, without the interpreter's lock; division by 0 is NaN."""
    decorate = partial(numba.njit, cache=True, nogil=True, error_model="numpy")
    return decorate()(function)
