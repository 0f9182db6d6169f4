"""Does preparing images of hands help a small network to classify them? Train many, and report.

    python examples/run_experiment.py --quick                    the embedded, rendered hands; minutes
    python examples/run_experiment.py --data DIR --out results   photos of your own; hours
    python examples/run_experiment.py fetch DIR                  fetch the public sets
    python examples/run_experiment.py render DIR                 make the embedded set anew

The same command again carries on where the last one ended. Needs ``pip install "handprep[examples]"``.
The code is in the package ``experiment`` beside this file.
"""

from __future__ import annotations

import importlib
import sys

COMMANDS = {"fetch": "experiment.fetch", "render": "experiment.render"}


def main() -> int | str:
    command = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    try:
        module = importlib.import_module(command or "experiment.cli")
    except ModuleNotFoundError as error:
        return f"{error}: install what the examples need with: pip install 'handprep[examples]'"
    return int(module.main(sys.argv[2:] if command else sys.argv[1:]))


if __name__ == "__main__":  # also keeps the processes that train from running it
    sys.exit(main())
