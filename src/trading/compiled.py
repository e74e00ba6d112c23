"""Compile a function to machine code once per machine.

numba's cache of a function does not notice changes in the functions that it calls. The cache lies
therefore in a folder named after the sources of all compiled functions.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


_IMPORTS = re.compile(r"^from (trading[.\w]*) import", re.MULTILINE)


def _compile(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    jit: Any = numba.njit(cache=True, nogil=True, error_model="numpy", **options)
    compiled_function: Callable[P, R] = jit(function)
    return compiled_function
