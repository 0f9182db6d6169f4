"""The palm network's numbers, each against the plain way to compute it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handprep.detection import graph
from handprep.detection.graph import ANCHORS
from handprep.detection.region import Region


def test_the_anchors_are_the_centres_of_both_grids():
    assert ANCHORS.shape == (2016, 2)
    np.testing.assert_allclose(ANCHORS[:2], 0.5 / 24)  # two of the first cell
    np.testing.assert_allclose(ANCHORS[2], [1.5 / 24, 0.5 / 24])  # then along the row
    np.testing.assert_allclose(ANCHORS[-1], 1 - 0.5 / 12)


@given(st.floats(0.01, 0.99))
def test_scores_are_sigmoids_and_those_below_the_confidence_are_left_out(confidence):
    logits = np.linspace(-200, 200, 2016, dtype=np.float32)
    points, found = graph.decode(np.zeros((2016, 18), np.float32), logits, confidence)
    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -100, 100)))
    assert points.shape == (len(found), 9, 2)
    assert abs(len(found) - (scores >= confidence).sum()) <= 1  # one may lie on the edge in float32
    assert found.tolist() == sorted(found.tolist(), reverse=True)


def test_a_confidence_of_0_leaves_out_none_and_of_1_all_but_the_best():
    raw, logits = np.zeros((2016, 18), np.float32), np.linspace(-80, 5, 2016, dtype=np.float32)
    assert [len(graph.decode(raw, logits, confidence)[1]) for confidence in (0, 1)] == [2016, 1]


def test_a_box_lies_about_its_anchor():
    raw = np.zeros((2016, 18), np.float32)
    raw[100, :4] = 19.2, -19.2, 38.4, 57.6
    logits = np.full(2016, -50, np.float32)
    logits[100] = 3
    points, _ = graph.decode(raw, logits, 0.5)
    x, y = ANCHORS[100]
    np.testing.assert_allclose(points[0, :2], [(x, y - 0.25), (x + 0.2, y + 0.05)], atol=1e-6)
    np.testing.assert_allclose(points[0, 2:], np.tile((x, y), (7, 1)), atol=1e-6)


def test_overlaps_are_intersections_over_unions():
    box = np.array([(1, 2), (3, 6)], np.float32)  # of 2 x 4
    others = np.array([[(1, 2), (3, 6)], [(2, 4), (5, 6)], [(4, 7), (5, 9)], [(0, 7), (9, 8)]], np.float32)
    np.testing.assert_allclose(graph.overlaps(box, others), [1, 2 / (8 + 6 - 2), 0, 0], rtol=1e-6)


def test_overlapping_palms_become_their_mean_weighted_by_score():
    corners = np.array([[(x, 0), (x + 1, 1)] for x in (0.0, 5.0, 0.3)], np.float32)
    keypoints = np.broadcast_to(corners[:, :1], (3, 7, 2))
    merged = graph.suppress(np.hstack([corners, keypoints]), np.array([0.9, 0.8, 0.3], np.float32))
    assert [score for score, _ in merged] == pytest.approx([0.9, 0.8])
    np.testing.assert_allclose(merged[0][1][:2], [(0.075, 0), (1.075, 1)], atol=1e-6)  # 0.3 · 0.3 / 1.2
    np.testing.assert_allclose(merged[0][1][2:], [(0.075, 0)] * 7, atol=1e-6)


def test_a_palm_without_an_extent_is_merged_with_none():
    points = np.zeros((2, 9, 2), np.float32)
    assert [score for score, _ in graph.suppress(points, np.array([0.5, 0.25], np.float32))] == [0.5, 0.25]


def test_the_hand_points_from_the_wrist_to_the_middle_knuckle():
    wrist, index_knuckle, middle_knuckle = (0.5, 0.5), (0.5, 0.3), (0.7, 0.5)
    points = [(0.4, 0.4), (0.6, 0.6), wrist, index_knuckle, middle_knuckle, *[wrist] * 4]
    assert graph.proposal(1.0, points, Region(100, 100, 200)).region.angle == pytest.approx(np.pi / 2)


def test_an_upright_palm_gives_an_upright_region_shifted_towards_the_fingers():
    corners, wrist, knuckle = [(0.4, 0.5), (0.6, 0.7)], (0.5, 0.7), (0.5, 0.5)
    points = [*corners, wrist, knuckle, knuckle, knuckle, wrist, wrist, wrist]
    place = graph.proposal(1.0, points, Region(100, 100, 200))
    region = place.region
    assert (place.score, place.palm) == (1.0, pytest.approx((100, 120)))
    assert region.angle == pytest.approx(0)
    assert (region.x, region.y) == pytest.approx((100, 100))  # (0.6 - half a box of 0.2) × 200
    assert region.side == pytest.approx(2.6 * 0.2 * 200, rel=1e-5)
