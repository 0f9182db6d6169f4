"""``python -m handprep`` is the command ``handprep``."""

from __future__ import annotations

import sys

from handprep.cli import main

if __name__ == "__main__":
    sys.exit(main())
