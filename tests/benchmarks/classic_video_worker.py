"""MediaPipe's classic API in its video mode, in an environment of its own without handprep.

Started by `tests.benchmarks.video` as ``PYTHON classic_video_worker.py FRAMES.npy HANDS``. Says ready, then
answers each number of a frame that it reads with a line of JSON: the wall and processor seconds of one call,
and each hand's label and landmarks in pixels. A number that is negative starts a new video.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter, process_time

import mediapipe
import numpy as np


def opened(hands: int) -> mediapipe.solutions.hands.Hands:
    """Return the API as it is by default, but for the number of hands."""
    return mediapipe.solutions.hands.Hands(static_image_mode=False, max_num_hands=hands)


def main() -> None:
    frames, most = np.load(sys.argv[1], mmap_mode="r"), int(sys.argv[2])
    hands = opened(most)
    print("ready", mediapipe.__version__, flush=True)
    for line in sys.stdin:
        if int(line) < 0:
            hands.close()
            hands = opened(most)
            continue
        frame = np.ascontiguousarray(frames[int(line)])
        wall, processor = perf_counter(), process_time()
        found = hands.process(frame)
        taken = perf_counter() - wall, process_time() - processor
        size = frame.shape[1::-1]
        seen = [
            (
                label.classification[0].label,
                [(point.x * size[0], point.y * size[1]) for point in points.landmark],
            )
            for label, points in zip(
                found.multi_handedness or (), found.multi_hand_landmarks or (), strict=True
            )
        ]
        print(json.dumps([*taken, seen]), flush=True)


if __name__ == "__main__":
    main()
