"""MediaPipe's classic API, timed in an environment of its own: no part of handprep is imported here.

Started by `tests.benchmarks.peers` as ``PYTHON classic_worker.py PICTURES.npz``. Says ready, then
answers each number of a picture that it reads with the wall and processor seconds of one call.
"""

from __future__ import annotations

import sys
from time import perf_counter, process_time

import mediapipe
import numpy as np


def main() -> None:
    stored = np.load(sys.argv[1])
    pictures = [np.ascontiguousarray(stored[name]) for name in sorted(stored)]
    with mediapipe.solutions.hands.Hands(
        static_image_mode=True, max_num_hands=2, min_detection_confidence=0.1
    ) as hands:
        print("ready", mediapipe.__version__, flush=True)
        for line in sys.stdin:
            wall, processor = perf_counter(), process_time()
            hands.process(pictures[int(line)])
            print(perf_counter() - wall, process_time() - processor, flush=True)


if __name__ == "__main__":
    main()
