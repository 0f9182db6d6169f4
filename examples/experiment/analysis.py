"""What the runs say, as plain values: the content of results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiment.arms import ARMS, BASELINE, STEPS
from experiment.data import Layout, part_of
from experiment.preparation import Pictures
from experiment.runs import HELD_OUT
from experiment.statistics import confusion, holm, interval, mcnemar, over_sources, vote

Record = dict[str, Any]
HELD_BACK = ("validation", "test")  # parts whose groups are sources that no network has learned from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What the networks of one arm answered.

    Attributes
    ----------
    pictures
        The arm's images.
    all_origins
        Records of the networks that learned from all origins, by seed.
    without
        The same of the networks that did not learn from an origin, by origin; empty if that was not done.
    """

    pictures: Pictures
    all_origins: Sequence[Record]
    without: Mapping[str, Sequence[Record]]

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Which images the networks that learned from all origins were asked about."""
        return self.pictures.parts != "train"

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """``(S, M, C)`` for the M images that were asked."""
        return np.array([record["probabilities"] for record in self.all_origins])

    @property
    def right(self) -> NDArray[np.bool_]:
        """``(S, M)``: which answers are right."""
        return np.asarray(self.probabilities.argmax(2) == self.pictures.labels[self.asked])

    def final(self, name: str) -> list[float]:
        """Return the accuracy on a set after the last epoch, of each seed."""
        return [record["accuracy"][name][-1] for record in self.all_origins]

    def by_source(self) -> dict[str, float]:
        """Return the mean accuracy on each source that the asked networks have not learned from."""
        groups, right = self.pictures.groups[self.asked], self.right
        told = {
            str(group): float(right[:, groups == group].mean())
            for group in np.unique(groups)
            if part_of(group) in HELD_BACK
        }
        return told | {
            origin: float(np.mean([record["accuracy"][HELD_OUT][-1] for record in records]))
            for origin, records in self.without.items()
        }


def analyse(
    layout: Layout,
    answers: Mapping[str, Answers],
    costs: Mapping[str, dict[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of results.json.

    Parameters
    ----------
    layout
        The photos.
    answers
        Of each arm whose networks are all trained.
    costs
        Of each of these, as `cost.cost_of` gives it.
    settings
        What the run was started with, to be written down.
    """
    first = next(iter(answers.values())).pictures
    compared = [name for name in answers if name != BASELINE and BASELINE in answers]
    told = {name: _compared(answers[BASELINE], answers[name], layout) for name in compared}
    _adjust(list(told.values()), layout)
    steps = [
        {
            "step": step,
            "arm": arm,
            "without": other,
            "sets": _differences(answers[arm], answers[other], layout),
            "sources": _source_differences(answers[arm], answers[other]),
        }
        for step, arm, other in STEPS
        if arm in answers and other in answers
    ]
    _adjust(steps, layout)
    return {
        "rendered": layout.rendered,
        "classes": list(layout.classes),
        "settings": dict(settings),
        "photos": _counts(first, np.ones(len(first.labels), bool), layout),
        "arms": {name: _told(of, ARMS[name].title, costs[name], layout) for name, of in answers.items()},
        "compared_with_raw": told,
        "steps": steps,
    }


def _told(of: Answers, title: str, cost: Mapping[str, Any], layout: Layout) -> dict[str, Any]:
    """Return what is known of one arm by itself."""
    labels, parts = of.pictures.labels[of.asked], of.pictures.parts[of.asked]
    together = vote(of.probabilities)
    tested = {name: parts == name for name in layout.sets if name != "train"}
    return {
        "title": title,
        "epochs": of.all_origins[0]["epochs"],
        "curves": {name: [record["accuracy"][name] for record in of.all_origins] for name in layout.sets},
        "accuracy": {name: _with_values(of.final(name)) for name in layout.sets},
        "accuracy_together": {
            name: float((together == labels)[mask].mean()) for name, mask in tested.items()
        },
        "confusion": {
            name: confusion(labels[mask], together[mask], len(layout.classes)).tolist()
            for name, mask in tested.items()
        },
        "left_out_origin": {
            origin: _with_values([record["accuracy"][HELD_OUT][-1] for record in records])
            for origin, records in of.without.items()
        },
        "hands_found": _counts(of.pictures, of.pictures.found, layout),
        "cost": {
            **cost,
            "prepared": len(of.pictures.labels),
            "seconds": of.pictures.milliseconds.sum() / 1000,
        },
        "training_seconds": sum(record["seconds"] for record in of.all_origins),
        "devices": sorted({f"{record['device']}, torch {record['torch']}" for record in of.all_origins}),
    }


def _with_values(values: Sequence[float]) -> dict[str, Any]:
    return {**asdict(interval(values)), "values": list(values)}


def _counts(pictures: Pictures, chosen: NDArray[np.bool_], layout: Layout) -> dict[str, dict[str, int]]:
    """Return how many chosen images there are, by group and class."""
    return {
        group: {
            label: int((chosen & (pictures.groups == group) & (pictures.labels == index)).sum())
            for index, label in enumerate(layout.classes)
        }
        for group in (*layout.origins, *layout.others)
    }


def _compared(raw: Answers, arm: Answers, layout: Layout) -> dict[str, Any]:
    """Return how an arm differs from raw images."""
    parts = raw.pictures.parts[raw.asked]
    return {
        "sets": _differences(arm, raw, layout),
        "without_hand": {name: _without_hand(raw, arm, parts == name) for name in layout.sets[1:]},
        "sources": _source_differences(arm, raw),
    }


def _source_differences(arm: Answers, other: Answers) -> dict[str, Any]:
    """Return how two arms differ in each source that both were asked about, and on the mean source."""
    ours, theirs = arm.by_source(), other.by_source()
    differences = {source: ours[source] - theirs[source] for source in ours if source in theirs}
    return {"differences": differences, **asdict(over_sources(list(differences.values())))}


def _differences(arm: Answers, other: Answers, layout: Layout) -> dict[str, Any]:
    """Return how the answers of two arms differ on each set but train, which comes first."""
    assert (arm.pictures.sources == other.pictures.sources).all(), "all arms have the same photos"
    labels, parts = arm.pictures.labels[arm.asked], arm.pictures.parts[arm.asked]
    ours, theirs = (vote(of.probabilities) == labels for of in (arm, other))
    told = {}
    for name in layout.sets[1:]:
        mask = parts == name
        told[name] = {
            "difference": _with_values(
                [a - b for a, b in zip(arm.final(name), other.final(name), strict=True)]
            ),
            "mcnemar": asdict(mcnemar(ours[mask], theirs[mask])),
            "mcnemar_p_by_seed": [
                mcnemar(a[mask], b[mask]).p for a, b in zip(arm.right, other.right, strict=True)
            ],
        }
    return told


def _without_hand(raw: Answers, arm: Answers, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the mean accuracy, with and without a found hand, of raw images and of the arm."""
    found = arm.pictures.found[arm.asked]
    told: dict[str, Any] = {}
    for name, chosen in (("none", mask & ~found), ("found", mask & found)):
        told[name] = {"photos": int(chosen.sum())}
        if chosen.any():
            told[name] |= {
                "raw": float(raw.right[:, chosen].mean()),
                "arm": float(arm.right[:, chosen].mean()),
            }
    return told


def _adjust(comparisons: Sequence[dict[str, Any]], layout: Layout) -> None:
    """Adjust the p values of all arms on a set for their number."""
    for name in layout.sets[1:]:
        tests = [comparison["sets"][name]["mcnemar"] for comparison in comparisons]
        for test, adjusted in zip(tests, holm([test["p"] for test in tests]), strict=True):
            test["p_adjusted"] = adjusted
