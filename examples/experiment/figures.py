"""Curves, differences and example images, as PNG and SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.image
import numpy as np
from matplotlib.figure import Figure

from experiment.files import write_whole
from experiment.preparation import Pictures
from experiment.statistics import Interval, interval
from handprep import ResizePad, images

# Okabe and Ito's colours and two more, which most people with colour-blindness can tell apart
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#882255")
MARKERS = "osD^vPX"
TILE = 96  # pixels of an example image
GAP = 4


def curves(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw accuracy over epochs, a figure a set, a line an arm with the interval over seeds as its band."""
    drawn = []
    for name in next(iter(results["arms"].values()))["curves"]:
        figure, axes = _figure(f"Accuracy on {name}", "epoch", "accuracy")
        for number, told in enumerate(results["arms"].values()):
            spans = [interval(values) for values in zip(*told["curves"][name], strict=True)]
            _line(axes, told["epochs"], spans, number, told["title"])
        axes.axhline(1 / len(results["classes"]), color="#999999", linestyle=":", label="chance")
        axes.set_ylim(0, 1.02)
        axes.xaxis.get_major_locator().set_params(integer=True)
        figure.legend(fontsize=8, loc="outside lower center", ncols=3)
        drawn.append(_save(figure, folder / f"curve-{name}"))
    return drawn


def sources(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw, for each source that networks have not learned from, how much better each arm is than raw."""
    compared = results["compared_with_raw"]
    if not compared:
        return []
    figure, axes = _figure("Sources no network has learned from", "percentage points above raw", "")
    names = list(dict.fromkeys(name for told in compared.values() for name in told["sources"]["differences"]))
    for number, (arm, told) in enumerate(compared.items(), start=1):
        found, place = told["sources"], np.arange(len(names)) + 0.1 * (number - len(compared) / 2)
        values = [100 * found["differences"].get(name, np.nan) for name in names]  # nothing where not run
        axes.plot(
            values,
            place,
            MARKERS[number % len(MARKERS)],
            color=_colour(number),
            label=results["arms"][arm]["title"],
        )
    axes.axvline(0, color="#999999", linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    figure.legend(fontsize=8, loc="outside lower center", ncols=3)
    return [_save(figure, folder / "sources")]


def examples(photos: Path, prepared: Mapping[str, Pictures], path: Path) -> Path:
    """Draw a photo of each group, and beside it what each arm of images makes of it, in the arms' order."""
    first = next(iter(prepared.values()))
    rows = []
    for group in np.unique(first.groups):
        index = int(np.flatnonzero(first.groups == group)[len(first.groups[first.groups == group]) // 3])
        photo = ResizePad(TILE, fill=255).run(photos / str(first.sources[index])).image
        made = [_enlarged(arm.inputs[index]) for arm in prepared.values() if arm.inputs.ndim == 3]
        rows.append(_joined([photo, *made], axis=1))
    buffer = io.BytesIO()
    mpl.image.imsave(buffer, _joined(rows, axis=0), format="png")
    write_whole(path, buffer.getvalue())
    return path


def _enlarged(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return ResizePad(TILE, interpolation="nearest").run(images.read(np.dstack([picture] * 3))).image


def _joined(tiles: Sequence[np.ndarray[Any, Any]], axis: int) -> np.ndarray[Any, Any]:
    """Return images side by side or one below the other, with white between them."""
    shape = list(tiles[0].shape)
    shape[axis] = GAP
    white = np.full(shape, 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (tile, white)][:-1], axis=axis)


def _line(axes: Any, epochs: Sequence[int], spans: Sequence[Interval], number: int, title: str) -> None:
    colour = _colour(number)
    marker = MARKERS[number % len(MARKERS)]
    axes.plot(epochs, [span.mean for span in spans], color=colour, marker=marker, markersize=4, label=title)
    if all(span.low is not None for span in spans):
        axes.fill_between(
            epochs,
            [max(0.0, span.low or 0.0) for span in spans],
            [min(1.0, span.high or 0.0) for span in spans],
            color=colour,
            alpha=0.12,
            linewidth=0,
        )


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _figure(title: str, x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    return figure, axes


def _save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG and SVG and return the SVG; the same figure gives the same files."""
    for ending in ("png", "svg"):
        buffer = io.BytesIO()
        with mpl.rc_context({"svg.hashsalt": "handprep", "svg.fonttype": "path"}):
            date = {"Date": None} if ending == "svg" else None
            figure.savefig(buffer, format=ending, dpi=130, metadata=date)
        write_whole(path.with_suffix(f".{ending}"), buffer.getvalue())
    return path.with_suffix(".svg")
