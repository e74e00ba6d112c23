"""The private servers are those of the store tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "store"))
