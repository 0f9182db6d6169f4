"""Render images of hands that show rock, paper or scissors, with exact ground truth.

    python examples/render_hands.py OUT --count 36 --seed 0 --size 480x360 [--assets DIR]

Writes ``OUT/photos/CLASS/NAME.jpg``, ``OUT/masks/CLASS/NAME.png`` (hand and forearm 255, the rest 0)
and ``OUT/annotations.json``; OUT/photos is what ``handprep run`` takes. Needs ``handprep[examples]``
and EGL (Debian: libegl1 libegl-mesa0 libgl1-mesa-dri). The code is in the package ``rendering`` beside
this file.
"""

from __future__ import annotations

import sys


def main() -> int | str:
    try:
        from rendering.cli import main as render  # noqa: PLC0415 - the message below needs the failure
    except ModuleNotFoundError as error:
        return f"{error}: install what the examples need with: pip install 'handprep[examples]'"
    return render()


if __name__ == "__main__":
    sys.exit(main())
