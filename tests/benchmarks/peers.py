"""The peers that a speed table may have, each only where it can run: else the reason why it cannot."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL.Image

from handprep.errors import MissingExtraError, ModelError
from handprep.sample import Image, Sample
from handprep.segmentation.rembg import RembgSegmenter
from tests.benchmarks.timing import Contestant, Elsewhere

WORKER = Path(__file__).with_name("classic_worker.py")


class PeerMissingError(Exception):
    """A peer cannot take part; the message says why."""


def tasks(pictures: list[Image]) -> Contestant:
    """Return a call of MediaPipe's Tasks API, by handprep's thin detector around it."""
    from handprep.detection.mediapipe import MediaPipeDetector

    detector = MediaPipeDetector()
    try:
        detector.detect(pictures[0])
    except MissingExtraError as error:
        raise PeerMissingError(str(error)) from error
    return lambda number: detector.detect(pictures[number])


@contextmanager
def classic(python: Path | None, pictures: list[Image]) -> Iterator[Contestant]:
    """Give a call of MediaPipe's classic API in another interpreter, which times itself."""
    if python is None:
        raise PeerMissingError("--classic did not name a Python that has mediapipe 0.10.21")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stored = Path(folder) / "pictures.npz"
        np.savez(stored, **{f"{number:06}": picture for number, picture in enumerate(pictures)})
        errors = stack.enter_context((Path(folder) / "errors").open("w+"))
        worker = stack.enter_context(
            subprocess.Popen(
                [python, WORKER, stored],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        ask, answers = worker.stdin, worker.stdout
        if not answers.readline().startswith("ready"):
            errors.seek(0)
            raise PeerMissingError(
                f"{python} cannot run it: {(errors.read().splitlines() or ['no word'])[-1]}"
            )

        def call(number: int) -> Elsewhere:
            print(number, file=ask, flush=True)
            wall, processor = map(float, answers.readline().split())
            return Elsewhere(wall=wall, processor=processor)

        yield call
        ask.close()  # which ends the worker


def rembg(model: str, samples: list[Sample]) -> dict[str, Contestant]:
    """Return rembg's own call on one thread, and handprep's around the same network."""
    if find_spec("rembg") is None:
        raise PeerMissingError("rembg is not installed")
    import onnxruntime
    from rembg import remove

    from handprep.segmentation.rembg import rembg_session

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = rembg_session(model, options)
    except ModelError as error:
        raise PeerMissingError(str(error)) from error
    pictures = [PIL.Image.fromarray(sample.image) for sample in samples]
    ours = RembgSegmenter(model=model)
    return {
        f"rembg.remove, {model}, mask only": lambda n: remove(pictures[n], session=session, only_mask=True),
        f"RembgSegmenter, {model}": lambda n: ours.segment(samples[n].image, samples[n].hands or ()),
    }
