"""Show a trained classifier's answers for a webcam or a clip: the frame with its hand, the crop, the class.

    python examples/live.py pipeline.json model.npz               # the first webcam
    python examples/live.py pipeline.json model.npz clip.mp4      # a clip, at its own speed

It opens a window if OpenCV can (``opencv-python``, not ``-headless``), else a page at http://127.0.0.1:8000,
which only this machine can read. The page "From webcam to prediction" shows how to make the two files. Use
another classifier by giving `run` a function of your own.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from handprep import (
    HandCropper,
    HandNotFoundError,
    HandprepError,
    InputError,
    Pipeline,
    Sample,
    draw,
    features,
    video,
)
from handprep.sample import Image
from live_page import Page, serve

Classifier = Callable[[Sample], tuple[str, float]]  # the class of a sample with a hand, and how sure, 0 to 1
QUIT = (27, ord("q"))  # Escape
WINDOW = "handprep"
DARK = 24  # of the panel beside the frame
FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is shown of one frame: an RGB image, and the answer as text."""

    image: Image
    text: str


def landmark_classifier(path: str | os.PathLike[str]) -> Classifier:
    """Load a linear classifier of a hand's features.

    Parameters
    ----------
    path
        An npz of ``features`` (names in `handprep.features.FEATURES`), ``classes`` (C,), ``weights`` (F, C)
        and ``bias`` (C,).
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            classes, weights, bias = (file[name] for name in ("classes", "weights", "bias"))
            measures = [features.FEATURES[str(name)] for name in np.atleast_1d(file["features"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} has no features, classes, weights and bias: {error}") from error

    def classify(sample: Sample) -> tuple[str, float]:
        numbers = np.concatenate([measure(sample.hand).ravel() for measure in measures])
        logits = numbers @ weights + bias
        shares = np.exp(logits - logits.max())
        return str(classes[shares.argmax()]), float(shares.max() / shares.sum())

    return classify


def views(frames: Iterable[Sample], pipeline: Pipeline, classify: Classifier) -> Iterator[View]:
    """Yield the view of each frame. A frame without a hand is shown, too, whatever `on_missing` says."""
    parts = pipeline.parts
    end = next((index for index, part in enumerate(parts) if isinstance(part, HandCropper)), None)
    if end is None:
        raise InputError("hands are tracked for a HandCropper: add one to the pipeline, and train again")
    crop = Pipeline([*parts[:end], replace(parts[end], on_missing="keep")])
    given: list[Sample] = []

    def noted() -> Iterator[Sample]:
        for frame in frames:
            given.append(frame)
            yield frame

    for cut in crop.stream(noted(), smooth=True):
        try:
            sample = Pipeline(parts[end + 1 :]).apply(cut)
        except HandNotFoundError:
            sample = cut
        text = "{} {:.0%}".format(*classify(sample)) if sample.hand else "no hand"
        yield View(image=composed(given.pop(0), cut, sample), text=text)


def composed(frame: Sample, cut: Sample, prepared: Sample) -> Image:
    """Return the frame with the hands of its crop drawn, and beside it the prepared image, half as high."""
    (width, height), side = frame.size, frame.size[1] // 2
    hands = tuple(hand.transformed(cut.to_source) for hand in cut.hands or ())
    size = [max(1, round(length * side / max(prepared.size))) for length in prepared.size]
    canvas = np.full((height, width + side, 3), DARK, np.uint8)
    canvas[:, :width] = draw(frame.image, hands, label=False)
    canvas[: size[1], width : width + size[0]] = cv2.resize(np.asarray(prepared.rgb), size)
    return canvas


def paced(frames: Iterable[Sample]) -> Iterator[Sample]:
    """Yield a clip's frames no earlier than their times."""
    start = -math.inf
    for frame in frames:
        seconds = frame.time or 0.0
        start = max(start, time.monotonic() - seconds)  # after a pause, go on at the clip's own speed
        time.sleep(max(0.0, start + seconds - time.monotonic()))
        yield frame


def can_open_windows() -> bool:
    """Tell whether OpenCV was built with windows and there is a display for them."""
    built = next(line for line in cv2.getBuildInformation().splitlines() if "GUI:" in line)
    on_screen = sys.platform != "linux" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return "NONE" not in built and on_screen


def show_in_window(shown: Iterable[View]) -> None:
    """Show views until the last one, Escape, q, or the window's closing."""
    cv2.namedWindow(WINDOW)
    for view in shown:
        bgr = np.ascontiguousarray(view.image[..., ::-1])  # as OpenCV shows it
        height, width, _ = bgr.shape
        cv2.putText(bgr, view.text, (width - height // 2 + 8, height - 12), FONT, height / 600, (255,) * 3, 1)
        cv2.setWindowTitle(WINDOW, view.text)  # also letters that the font above has not
        cv2.imshow(WINDOW, bgr)
        if cv2.waitKey(1) in QUIT or cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) < 1:
            return


def show_on_page(shown: Iterable[View], port: int) -> None:
    """Publish views on a page of this machine until Ctrl-C: the first, and the others once it is watched."""
    page = Page()
    with serve(page, port) as address:
        for number, view in enumerate(shown):
            _, jpeg = cv2.imencode(".jpg", view.image[..., ::-1])
            page.publish(jpeg.tobytes(), view.text)
            if number == 0:
                print(f"open {address} in a browser; Ctrl-C ends it", flush=True)
                page.watched.wait()
        print("that was the last frame", flush=True)
        threading.Event().wait()


def run(source: str | int, pipeline: Pipeline, classify: Classifier, port: int | None = None) -> None:
    """Show a webcam (its number) or a clip: on a page at `port`, or with None in a window."""
    frames = video.frames(source)
    shown = views(frames if isinstance(source, int) else paced(frames), pipeline, classify)
    if port is None:
        show_in_window(shown)
    else:
        show_on_page(shown, port)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pipeline", type=Path, help="JSON of Pipeline.to_json")
    parser.add_argument("model", type=Path, help="npz of features, classes, weights and bias")
    parser.add_argument("source", nargs="?", default="0", help="a clip, or a webcam's number (0)")
    parser.add_argument("--page", action="store_true", help="a page also where a window could be opened")
    parser.add_argument("--port", type=int, default=8000, help="of the page (8000); 0 takes a free one")
    given = parser.parse_args(arguments)
    source = int(given.source) if given.source.isdecimal() else given.source
    port = given.port if given.page or not can_open_windows() else None
    try:
        pipeline = Pipeline.from_json(given.pipeline.read_text(encoding="utf-8"))
        run(source, pipeline, landmark_classifier(given.model), port)
    except (HandprepError, OSError) as error:
        print(f"live.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
