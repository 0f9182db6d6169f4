"""What the experiment says: layouts it takes, sentences it draws from figures, documents it writes."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handprep import Hand, Pipeline, Sample, features
from handprep.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from experiment import findings
from experiment.arms import ARMS, QUICK, STEPS
from experiment.data import EMBEDDED, layout_of
from experiment.document import Figure, Heading, Items, Paragraph, Table, as_html, markdown


def make(folder: Path, *groups: str, classes: tuple[str, ...] = ("paper", "rock")) -> Path:
    for group in groups:
        for label in classes:
            (folder / group / label).mkdir(parents=True)
    return folder


def test_a_layout_knows_origins_other_groups_and_further_sets(tmp_path):
    found = layout_of(make(tmp_path, "train/b", "train/a", "validation/c", "test/d", "extra", ".hidden/x"))
    assert found.origins == ("train/a", "train/b")
    assert found.others == ("validation/c", "test/d", "extra")
    assert found.sets == ("train", "validation", "test", "extra")
    assert found.classes == ("paper", "rock")
    assert not found.rendered


@pytest.mark.parametrize("missing", ["train/a", "validation/b", "test/c"])
def test_a_folder_without_one_of_the_three_parts_is_refused(missing, tmp_path):
    make(tmp_path, *({"train/a", "validation/b", "test/c"} - {missing}))
    with pytest.raises(InputError, match=f"no {missing.partition('/')[0]}/"):
        layout_of(tmp_path)


def test_a_group_with_other_classes_is_refused(tmp_path):
    make(tmp_path, "train/a", "validation/b")
    make(tmp_path, "test/c", classes=("paper", "stone"))
    with pytest.raises(InputError, match="paper, stone"):
        layout_of(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        layout_of(tmp_path / "nowhere")


def test_the_embedded_set_is_complete_and_small():
    found = layout_of(EMBEDDED)
    assert found.rendered
    assert found.origins == ("train/cgi", "train/custom", "train/hands", "train/webcam")
    photos = list(EMBEDDED.rglob("*.jpg"))
    assert len(photos) == len((EMBEDDED / "annotations.csv").read_text().splitlines()) - 1
    assert sum(path.stat().st_size for path in EMBEDDED.rglob("*")) < 4_000_000


def test_no_person_and_no_room_of_validation_and_test_is_in_training():
    with (EMBEDDED / "annotations.csv").open() as file:
        rows = list(csv.DictReader(file))
    parts = ("train", "validation", "test")
    people, rooms = (
        {part: {row[column] for row in rows if row["file"].startswith(part)} for part in parts}
        for column in ("person", "room")
    )
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not people[one] & people[other]
        assert not rooms[one] & rooms[other]


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_an_arm_is_a_pipeline_that_json_brings_back(arm):
    assert Pipeline.from_json(arm.pipeline.to_json()) == arm.pipeline
    assert arm.features or arm.pipeline.output_size == (64, 64)


def test_a_network_for_landmarks_sees_the_features_of_the_hand_and_zeros_without_one():
    landmarks = ARMS["landmarks"]
    points = np.random.default_rng(0).uniform(0, 100, (21, 2)).astype(np.float32)
    hand = Hand(landmarks=points, depth=points[:, 0], box=(0, 0, 100, 100), score=1)
    blank = np.zeros((8, 8, 3), np.uint8)
    seen = landmarks.input_of(Sample(image=blank, hands=(hand,)))
    np.testing.assert_array_equal(seen[:42].reshape(21, 2), features.normalised(hand))
    np.testing.assert_array_equal(seen[42:].reshape(21, 3), features.palm_frame(hand))
    without = landmarks.input_of(Sample(image=blank, hands=()))
    assert without.shape == seen.shape
    assert not without.any()


def test_arms_that_are_quick_need_no_large_model():
    assert all("u2net" not in name for arm in QUICK for name in ARMS[arm].pipeline.model_files)


@pytest.mark.parametrize(("arm", "without"), [step[1:] for step in STEPS if step[1] != "skeleton"])
def test_between_the_arms_of_a_step_one_transform_makes_the_difference(arm: str, without: str):
    ours, theirs = (set(ARMS[name].pipeline.transforms) for name in (arm, without))
    assert len(ours - theirs) == 1
    assert len(theirs - ours) <= 1  # the same with other parameters


def on_test(mean: float, low: float | None, high: float | None, p: float) -> dict[str, Any]:
    difference = {"mean": mean, "low": low, "high": high, "values": [mean] * (1 if low is None else 5)}
    return {
        "difference": difference,
        "mcnemar": {"first_only": 30, "second_only": 4, "p": p, "p_adjusted": p},
    }


def results(told: dict[str, Any], **more: Any) -> dict[str, Any]:
    sources = {"differences": {"a": 0.1, "b": -0.02}, "mean": 0.04, "low": -0.02, "high": 0.1}
    return {
        "rendered": False,
        "settings": {"quick": False, "seeds": 5, "epochs": 100},
        "photos": {"train/a": {}, "test/b": {}},
        "arms": {"cropped": {"title": "cropped", "left_out_origin": {}}},
        "compared_with_raw": {"cropped": {"sets": {"test": told}, "sources": sources}},
        **more,
    }


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (
            on_test(0.12, 0.08, 0.16, 0.0001),
            "H0 is rejected. Accuracy on test is higher than with raw images, by +12.0",
        ),
        (on_test(-0.1, -0.15, -0.05, 0.01), "H0 is rejected. Accuracy on test is lower"),
        (on_test(0.12, -0.01, 0.25, 0.0001), "H0 is not rejected"),
        (on_test(0.12, 0.08, 0.16, 0.2), "H0 is not rejected"),
        (on_test(0.12, None, None, 0.001), "not decided: one seed gives no interval"),
    ],
)
def test_the_verdict_needs_both_the_interval_and_the_test(told, says):
    assert says in findings.verdicts(results(told))[0]


def test_the_effect_from_source_to_source_is_told():
    said = findings.beyond(results(on_test(0.1, 0.05, 0.15, 0.01)))[0]
    assert "better in 1 of 2 sources" in said
    assert "+4.0 points (−2.0 to +10.0), which includes zero" in said


def test_so_is_that_of_a_step():
    sources = {"differences": {"a": 0.1, "b": 0.02}, "mean": 0.06, "low": 0.02, "high": 0.1}
    (said,) = findings.steps_beyond({"steps": [{"step": "the search", "sources": sources}]})
    assert said == (
        "**the search**: better in 2 of 2 sources; on the mean source +6.0 points (+2.0 to +10.0), which "
        "excludes zero."
    )


def test_renderings_and_quick_runs_come_with_a_warning():
    quick = {"quick": True, "seeds": 2, "epochs": 30}
    said = " ".join(findings.warnings(results({}, rendered=True, settings=quick)))
    assert "rendered" in said
    assert "no evidence about photos" in said
    assert "2 seeds, 30 epochs instead of 100" in said
    assert findings.warnings(results({})) == []


def test_a_document_is_the_same_in_both_forms(tmp_path):
    picture = tmp_path / "p.svg"
    picture.write_text("<svg/>")
    blocks = [
        Heading("A < B", 1),
        Paragraph("**bold** and `code`", warning=True),
        Items(["one"]),
        Table(["arm", "n"], [["raw", "1"]]),
        Figure(picture, "A picture"),
    ]
    assert markdown(blocks).split("\n\n") == [
        "# A < B",
        "> **bold** and `code`",
        "- one",
        "| arm | n |\n| --- | ---: |\n| raw | 1 |",
        "![A picture](p.svg)\n",
    ]
    page = as_html("A < B", blocks)
    assert "<h1>A &lt; B</h1>" in page
    assert '<p class="warning"><strong>bold</strong> and <code>code</code></p>' in page
    assert "<td>raw</td><td>1</td>" in page
    assert 'src="data:image/svg+xml;base64,PHN2Zy8+"' in page
    assert "http" not in page
