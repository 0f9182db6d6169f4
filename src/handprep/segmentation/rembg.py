"""The salient-object networks of the rembg package, held to the hand."""

import warnings
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from handprep import geometry, models
from handprep.configurable import Configurable, check_flags, check_whole
from handprep.errors import InputError, ModelError
from handprep.images import check_rgb
from handprep.models import onnx
from handprep.models.onnx import failures, first_line
from handprep.runtime import per_thread
from handprep.sample import Alpha, Hand, Image
from handprep.segmentation import prior
from handprep.segmentation.base import connected_to, moved_to, own_path, pixels_within

MATTING = (240, 10, 10)  # rembg's defaults: surely hand above, background below, pixels of doubt between
PROMPTED = {"sam"}  # networks that are told what to find, where others find what stands out
NON_COMMERCIAL = {"bria-rmbg": "CC BY-NC 4.0; other use needs an agreement with BRIA AI"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RembgSegmenter(Configurable):
    """Find the most salient object with a network of rembg's, and of this what belongs to the hand.

    These networks know nothing of hands: in a photo of a person, a cup or a book they may take that
    instead. Where hands are known, they are shown the hand's surroundings alone, and whatever in their
    answer does not touch the hand is dropped. If none of it touches the hand, nothing is hand. ``"sam"`` is
    told where the hand is: by its box and its landmarks.

    Importing rembg takes seconds, and up to a minute the very first time, as it compiles code. So it is
    imported by the first call of `segment`, not before. Each thread opens the network for itself.

    Parameters
    ----------
    model
        rembg's name of the network. ``"u2net"`` and ``"u2netp"`` (smaller, quicker, coarser) are
        fetched and checked by handprep, others by rembg. Networks have licences of their own:
        ``"bria-rmbg"``, rembg's own default, is for non-commercial use only, so that opening it gives
        a warning.
    path
        A network file of your own, of the kind that `model` names; None for that model's own file.
    alpha_matting
        Whether rembg refines the mask along its edge with closed-form matting: slow, better for hair.
    post_process
        Whether rembg smooths the mask and makes it hard-edged.
    only_hand
        Whether the answer is held to the hand where hands are known; otherwise it is rembg's answer to
        the whole image.
    threads
        Threads within the network. One is best for many images: use several callers instead.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    References
    ----------
    Qin et al., "U²-Net: going deeper with nested U-structure for salient object detection", Pattern
    Recognition 106, 2020. Kirillov et al., "Segment anything", arXiv 2304.02643, 2023.

    Examples
    --------
    >>> RembgSegmenter(model="u2netp").threads
    1
    """

    model: str = "u2net"
    path: str | None = None
    alpha_matting: bool = False
    post_process: bool = False
    only_hand: bool = True
    threads: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model:
            raise InputError(f"model must be a name that rembg knows, such as 'u2net', not {self.model!r}")
        check_flags(self, "alpha_matting", "post_process", "only_hand")
        check_whole("threads", self.threads, 1, 1024)
        if self.path is not None:
            object.__setattr__(self, "path", own_path("path", self.path))

    @property
    def _file(self) -> str:
        return self.model if self.path is None else models.own_file(self.path)

    @property
    def model_files(self) -> frozenset[str]:
        """The network, where it is your own or handprep knows it."""
        return frozenset({self._file} & set(models.MODELS) if self.path is None else {self._file})

    def segment(self, image: Image, hands: tuple[Hand, ...]) -> Alpha:
        """Return how much of each pixel is hand (see `Segmenter.segment`).

        Raises
        ------
        InputError
            If rembg has no such model that runs on this machine.
        ModelError
            If the model's file cannot be had or opened.
        """
        check_rgb(image)
        if not hands or not self.only_hand:
            return self._salient(image)
        alpha = np.zeros(image.shape[:2], np.uint8)
        around = geometry.enclosing_box(np.reshape([prior.reach(hand) for hand in hands], (-1, 2)))
        place = pixels_within(around, image)
        if image[place].size:
            there = moved_to(place, hands)
            prompts = [{"sam_prompt": _prompt(hand)} for hand in there] if self.model in PROMPTED else [{}]
            found = reduce(np.maximum, (self._salient(image[place], **prompt) for prompt in prompts))
            seeds = (_certain(found.shape, hand) for hand in there)
            alpha[place] = connected_to(found, reduce(np.maximum, seeds) > 0)
        return alpha

    def _salient(self, image: Image, **prompts: Any) -> Alpha:
        stamp = models.fingerprint(self._file) if self.path is not None else None
        session = per_thread(("rembg", self.model, self._file, stamp, self.threads), self._open)
        masks = session.predict(PIL.Image.fromarray(image), **prompts)
        alpha = reduce(np.maximum, (np.asarray(mask.convert("L"), np.uint8) for mask in masks))
        if not self.post_process and not self.alpha_matting:
            return alpha
        from rembg.bg import alpha_matting_cutout, post_process  # noqa: PLC0415 - heavy

        if self.post_process:
            alpha = np.asarray(post_process(alpha), np.uint8)
        has_edge = alpha.max() > MATTING[0] and alpha.min() < MATTING[1]
        if self.alpha_matting and has_edge:
            cut_out = alpha_matting_cutout(PIL.Image.fromarray(image), PIL.Image.fromarray(alpha), *MATTING)
            alpha = np.asarray(cut_out)[..., 3]
        return alpha

    def _open(self) -> Any:
        if self.model in NON_COMMERCIAL:
            warnings.warn(
                f"rembg's model {self.model!r} has a licence of its own: {NON_COMMERCIAL[self.model]}. "
                "'u2net' (Apache-2.0) has no such limit.",
                stacklevel=2,
            )
        options = onnx.imported().SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        path = None if self.path is None else models.fetch(self._file)
        return rembg_session(self.model, options, path=path)


def _prompt(hand: Hand) -> list[dict[str, Any]]:
    """Return what tells SAM which hand is meant, as rembg writes it."""
    points = [] if hand.landmarks is None else hand.landmarks.tolist()
    box = {"type": "rectangle", "data": [float(edge) for edge in hand.box]}
    return [box, *({"type": "point", "label": 1, "data": point} for point in points)]


def _certain(shape: tuple[int, ...], hand: Hand) -> NDArray[np.uint8]:
    """Draw where the hand certainly is, as 1 on 0: its bones, or the middle of its box."""
    drawn = prior.bones(shape, hand)
    if hand.landmarks is None:
        x0, y0, x1, y1 = hand.box
        middle = np.array([[2 * x0 + x1, 2 * y0 + y1], [x0 + 2 * x1, y0 + 2 * y1]]) / 3
        first, last = prior.fixed_point(middle).tolist()
        cv2.rectangle(drawn, first, last, 1, cv2.FILLED, cv2.LINE_8, prior.BITS)
    return drawn


def rembg_session(name: str, options: Any = None, *, path: Path | None = None) -> Any:
    """Open a rembg session, on the checked file where handprep knows the model.

    Left alone, rembg takes whatever lies in its own folders, and checks an md5 only after a download. Models
    that handprep does not know go through rembg's own downloader. Those that send the image to somebody's
    server are refused. `path` is a file of the user's own in place of the model's.
    """
    onnxruntime = onnx.imported()
    from rembg.sessions import sessions_class  # noqa: PLC0415 - heavy

    here = (kind for kind in sessions_class if getattr(kind, "is_local", lambda: True)())  # rembg < 2.0.78
    known = {kind.name(): kind for kind in here}
    if name not in known:
        raise InputError(
            f"rembg has no model {name!r:.100} that runs on this machine; it has {', '.join(sorted(known))}"
        )
    kind, file = known[name], path or (models.fetch(name) if name in models.MODELS else None)
    if file is not None:  # the class's one question, where the file is, is answered
        answer = classmethod(lambda *_, **__: str(file))
        kind = type(kind.__name__, (kind,), {"download_models": answer})
    try:
        return kind(name, options or onnxruntime.SessionOptions())
    except (OSError, ValueError) as error:  # what pooch raises without a network, and for a wrong md5
        raise ModelError(f"rembg could not get its model {name!r}: {error}") from error
    except failures() as error:
        raise ModelError(
            f"rembg could not open {path or f'its model {name!r}, delete the file'}: {first_line(error)}"
        ) from error
