"""The report that a run ends with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiment import findings
from experiment.arms import ARMS
from experiment.document import Block, Figure, Heading, Items, Paragraph, Table, as_html, markdown
from experiment.files import write_whole
from experiment.findings import p_value, percent, points

TITLE = "Does preparing images of hands help to classify them?"
# Table 1 and 2 of the study: photos by class (rock, paper, scissors), and per cent in which a hand was found.
STUDY = {
    "train/cgi": ({"rock": 840, "paper": 840, "scissors": 840}, 96.3),
    "train/hands": ({"rock": 726, "paper": 712, "scissors": 750}, 96.6),
}
STUDYS_ARM = "cropped"
INTERVAL, TEST = "95 % interval", ("McNemar", "adjusted")


def write(results: dict[str, Any], figures: dict[str, list[Path]], folder: Path) -> None:
    """Write report.md and report.html.

    Parameters
    ----------
    results
        As `analysis.analyse` gives them.
    figures
        Files of the ``"curves"``, the ``"sources"`` and the ``"examples"``.
    folder
        Where to write; figures lie there, too.
    """
    blocks = _blocks(results, figures)
    write_whole(folder / "report.md", markdown(blocks).encode())
    write_whole(folder / "report.html", as_html(TITLE, blocks).encode())


def _blocks(results: dict[str, Any], figures: dict[str, list[Path]]) -> list[Block]:
    return [
        Heading(TITLE, 1),
        *(Paragraph(text, warning=True) for text in findings.warnings(results)),
        *_answer(results),
        *_accuracy(results),
        *(
            Figure(path, f"{path.stem.removeprefix('curve-')}: accuracy over epochs")
            for path in figures["curves"]
        ),
        *_sources(results, figures["sources"]),
        *_confusion(results),
        *_without_hand(results),
        *_detection(results),
        *_cost(results),
        Heading("Example images"),
        Paragraph(
            "A photo of each group, then what the arms make of it: "
            + ", ".join(told["title"] for name, told in results["arms"].items() if not ARMS[name].features)
            + "."
        ),
        *(Figure(path, "Example images") for path in figures["examples"]),
        Heading("What this does not show"),
        Items(findings.limits(results)),
        *_method(results),
    ]


def _answer(results: dict[str, Any]) -> list[Block]:
    said = findings.verdicts(results)
    nothing = "Nothing was compared: that needs raw images and another arm."
    return [
        Heading("The answer"),
        Paragraph(findings.HYPOTHESIS),
        Items(said) if said else Paragraph(nothing),
    ]


def _accuracy(results: dict[str, Any]) -> list[Block]:
    sets = list(next(iter(results["arms"].values()))["accuracy"])
    rows = [
        [told["title"], *(_span(told["accuracy"][name]) for name in sets)]
        for told in results["arms"].values()
    ]
    blocks: list[Block] = [
        Heading("Accuracy after the last epoch"),
        Paragraph("Mean over seeds, with the 95 % interval by Student's t in brackets."),
        Table(["arm", *sets], rows),
    ]
    rows = [
        [results["arms"][name]["title"], which, *_comparison(told["sets"][which])]
        for name, told in results["compared_with_raw"].items()
        for which in told["sets"]
    ]
    if rows:
        head = ["arm", "set", "points above raw", INTERVAL, "only arm right", "only raw right", *TEST]
        blocks += [Heading("Difference to raw images", 3), Table(head, rows)]
    rows = [
        [told["step"], which, *_comparison(compared)]
        for told in results["steps"]
        for which, compared in told["sets"].items()
    ]
    if rows:
        head = ["step", "set", "points above", INTERVAL, "only right with it", "only without", *TEST]
        arms = "; ".join(f"{told['step']}: {told['arm']} and {told['without']}" for told in results["steps"])
        text = f"The same between two arms of which one has one step more. {arms[0].upper()}{arms[1:]}."
        blocks += [Heading("What each step adds", 3), Paragraph(text), Table(head, rows)]
    return blocks


def _comparison(told: dict[str, Any]) -> list[str]:
    difference, test = told["difference"], told["mcnemar"]
    return [
        points(difference["mean"]),
        _bounds(difference, points),
        str(test["first_only"]),
        str(test["second_only"]),
        p_value(test["p"]),
        p_value(test["p_adjusted"]),
    ]


def _sources(results: dict[str, Any], figures: list[Path]) -> list[Block]:
    arms = results["arms"].values()
    origins = sorted({origin for told in arms for origin in told["left_out_origin"]})
    blocks: list[Block] = [Heading("From source to source")]
    if origins:
        rows = [
            [told["title"], *(_span(told["left_out_origin"][origin]) for origin in origins)]
            for told in arms
            if told["left_out_origin"]
        ]
        text = "Accuracy on an origin that was left out, by networks that learned from the other origins."
        blocks += [Paragraph(text), Table(["arm", *origins], rows)]
    said = findings.beyond(results)
    if said:
        text = (
            "Difference to raw images in each source that the networks were not trained on: "
            "validation and test groups, and origins left out. Brackets hold the 95 % interval of a "
            "bootstrap over sources."
        )
        blocks += [Paragraph(text), Items(said)]
    steps = findings.steps_beyond(results)
    if steps:
        blocks += [Paragraph("What each step adds in the same sources:"), Items(steps)]
    return [*blocks, *(Figure(path, "Percentage points above raw, by source") for path in figures)]


def _confusion(results: dict[str, Any]) -> list[Block]:
    rows = [
        [f"{told['title']}: {label}", *map(str, row), percent(row[index] / max(1, sum(row)))]
        for told in results["arms"].values()
        for index, (label, row) in enumerate(zip(results["classes"], told["confusion"]["test"], strict=True))
    ]
    return [
        Heading("Confusion on test"),
        Paragraph("Rows: the true class. Columns: what the networks of all seeds answer together."),
        Table(["arm: class", *results["classes"], "right"], rows),
    ]


def _without_hand(results: dict[str, Any]) -> list[Block]:
    rows = []
    for name, told in results["compared_with_raw"].items():
        for which, parts in told["without_hand"].items():
            cells = [part for key in ("none", "found") for part in _part(parts[key])]
            rows.append([results["arms"][name]["title"], which, *cells])
    head = ["arm", "set", "no hand detected", "raw", "arm", "hand detected", "raw", "arm"]
    text = (
        "Accuracy (mean over seeds) of raw images and of the arm: on photos in which the arm detected no "
        "hand, and on the others."
    )
    return [Heading("Where no hand was detected"), Paragraph(text), Table(head, rows)] if rows else []


def _part(told: dict[str, Any]) -> list[str]:
    return [str(told["photos"]), *(percent(told[key]) if key in told else "" for key in ("raw", "arm"))]


def _detection(results: dict[str, Any]) -> list[Block]:
    classes = results["classes"]
    photos = {**results["photos"]}
    rows = [
        [
            group,
            *(str(counts[label]) for label in classes),
            str(sum(counts.values())),
            _studys_photos(group, counts),
        ]
        for group, counts in photos.items()
    ]
    looked = {name: told for name, told in results["arms"].items() if ARMS[name].looks}
    found = [
        [
            told["title"],
            group,
            *(_share(counts[label], photos[group][label]) for label in classes),
            _share(sum(counts.values()), sum(photos[group].values())),
            _studys_share(name, group, photos[group]),
        ]
        for name, told in looked.items()
        for group, counts in told["hands_found"].items()
    ]
    blocks: list[Block] = [
        Heading("Photos, and detected hands"),
        Table(["group", *classes, "total", "the study's Table 1"], rows),
    ]
    return (
        [*blocks, Table(["arm", "group", *classes, "total", "the study's Table 2"], found)]
        if found
        else blocks
    )


def _studys_photos(group: str, counts: dict[str, int]) -> str:
    return "the same" if group in STUDY and STUDY[group][0] == counts else ""


def _studys_share(arm: str, group: str, counts: dict[str, int]) -> str:
    same = arm == STUDYS_ARM and group in STUDY and STUDY[group][0] == counts
    return f"{STUDY[group][1]} %" if same else ""


def _cost(results: dict[str, Any]) -> list[Block]:
    rows = []
    for told in results["arms"].values():
        cost = told["cost"]
        alone = f"{cost['detector_milliseconds']:.1f} ms" if "ratio" in cost else ""
        ratio = f"{cost['ratio']:.2f}" if "ratio" in cost else ""
        row = [told["title"], f"{cost['milliseconds']:.1f} ms", alone, ratio]
        rows.append([*row, f"{cost['seconds']:.0f} s", f"{told['training_seconds']:.0f} s"])
    head = ["arm", "an image", "its detector alone", "ratio", "all images", "training"]
    text = (
        "Processor time of one thread for an image, over a sample; the time that preparing all images "
        "took, added up over threads; and the time that training took, added up over the networks of all "
        "origins."
    )
    return [Heading("Cost"), Paragraph(text), Table(head, rows)]


def _method(results: dict[str, Any]) -> list[Block]:
    settings = results["settings"]
    text = (
        f"Each network learns from all origins for {settings['epochs']} epochs, in batches of "
        f"{settings['batch']}, with Adam at {settings['rate']} and cross-entropy; nothing is selected by a "
        f"result, and the last epoch counts. Seeds: {settings['seeds']}; with an origin left out: "
        f"{settings['origin_seeds']}. Between arms of images nothing differs but what is said here."
    )
    pipelines = [f"**{told['title']}**: `{told['pipeline']}`" for told in results["arms"].values()]
    devices = sorted({device for told in results["arms"].values() for device in told["devices"]})
    return [
        Heading("Method"),
        Paragraph(text),
        Items(pipelines),
        Paragraph(f"The network: `{results['model']}`"),
        Paragraph(f"handprep {results['handprep']}; trained on {'; '.join(devices)}."),
    ]


def _span(told: dict[str, Any]) -> str:
    return f"{percent(told['mean'])} ({_bounds(told, lambda value: f'{100 * value:.1f}')})"


def _bounds(told: dict[str, Any], shown: Callable[[float], str]) -> str:
    return "–" if told["low"] is None else f"{shown(told['low'])} to {shown(told['high'])}"


def _share(found: int, photos: int) -> str:
    return f"{found} ({100 * found / photos:.1f} %)" if photos else "–"
