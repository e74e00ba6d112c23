"""The revision of the code that decides what a training job leaves.

A month that failed is rerun after its cause was mended, and must reuse the models that it has:
so the revision covers the packages that training runs through, and no others.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

SOURCES = ("agents", "backtest", "evaluation/walk_forward.py", "execution", "features", "market")
LENGTH = 16


@lru_cache(maxsize=1)
def training_revision(root: Path = Path(__file__).parents[1]) -> str:
    """Return the hash, hexadecimal, of the Python sources below `root` that training runs."""
    digest = hashlib.sha256()
    for source in SOURCES:
        path = root / source
        files = [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
        for file in files:
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:LENGTH]
