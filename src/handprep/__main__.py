"""``python -m handprep`` is the command ``handprep``."""

import sys

from handprep.cli import main

if __name__ == "__main__":
    sys.exit(main())
