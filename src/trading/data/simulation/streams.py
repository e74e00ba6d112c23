"""Random streams that are found by name, not by what was drawn before.

Philox is a counter-based generator (Salmon et al., 2011): a stream is a pure function of seed,
purpose and day. A day therefore draws the same whether the simulation ends there or years later.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a stream is for; a number is never used twice."""

    COMPANIES = 1
    LISTINGS = 2
    SESSION = 3


def stream(seed: int, purpose: Purpose, place: int) -> np.random.Generator:
    """Return the generator of a purpose at a place: a day's ordinal, or an attribute's number."""
    counter = np.array([0, 0, place, purpose], dtype=np.uint64)
    key = np.array([seed % 2**64, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(counter=counter, key=key))
