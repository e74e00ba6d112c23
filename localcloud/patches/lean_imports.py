"""Import moto's state machine interpreter without AWS Batch and EC2.

The interpreter needs one enumeration of `moto.batch.utils`, but importing the package `moto.batch`
runs its models, and those read all of EC2's instance types: a third of the cloud's start, for two
services that it does not have. Here the package stands without its `__init__` having run, which
runs when somebody asks it for more.
"""

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_PACKAGE = "moto.batch"


def install() -> None:
    """Register the bare package, unless something has imported the whole one."""
    if _PACKAGE in sys.modules:
        return
    moto = find_spec("moto")
    if moto is None or moto.submodule_search_locations is None:
        return
    package = ModuleType(_PACKAGE)
    package.__path__ = [f"{place}/batch" for place in moto.submodule_search_locations]
    package.__getattr__ = _whole  # type: ignore[method-assign]
    sys.modules[_PACKAGE] = package


def _whole(name: str) -> Any:
    if name != "batch_backends":
        raise AttributeError(name)
    from moto.batch.models import batch_backends

    return batch_backends
