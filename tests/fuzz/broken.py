"""A target that does what no target may, by the first byte of its input: to test the campaign itself."""

from __future__ import annotations

import os
import sys
import time
from random import Random

import numpy as np

GOOD, CRASHES, HANGS, RAISES, EXITS, HOARDS = range(6)


def whole() -> bytes:
    """Return a harmless input."""
    return bytes([GOOD])


def make(random: Random) -> bytes:
    """Return a mostly harmless input."""
    return bytes([random.choice((GOOD, GOOD, GOOD, CRASHES, HANGS, RAISES, EXITS, HOARDS))])


def check(content: bytes) -> str:
    """Do what the input says."""
    if content[0] == CRASHES:
        os.abort()
    if content[0] == HANGS:
        time.sleep(60)
    if content[0] == RAISES:
        raise ValueError("on line 1\nand line 2")
    if content[0] == EXITS:
        sys.exit(0)
    if content[0] == HOARDS:
        np.zeros(1 << 33, np.uint8)
    return "good"
