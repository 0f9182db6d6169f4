"""The landmarks' names and bones are MediaPipe's."""

from __future__ import annotations

import pytest

from handprep.landmarks import CONNECTIONS, FINGERS, KNUCKLES, HandLandmark


def test_each_landmark_has_a_name_and_every_one_hangs_on_a_bone():
    assert list(HandLandmark) == list(range(21))
    assert {end for bone in CONNECTIONS for end in bone} == set(HandLandmark)


def test_there_are_21_bones_five_fingers_and_a_closed_palm():
    assert len(set(CONNECTIONS)) == 21
    assert [finger[-1] for finger in FINGERS] == [
        HandLandmark.THUMB_TIP,
        HandLandmark.INDEX_FINGER_TIP,
        HandLandmark.MIDDLE_FINGER_TIP,
        HandLandmark.RING_FINGER_TIP,
        HandLandmark.PINKY_TIP,
    ]
    assert {(0, 5), (5, 9), (9, 13), (13, 17), (0, 17)} < set(CONNECTIONS)
    assert [HandLandmark(knuckle).name[-3:] for knuckle in KNUCKLES] == ["MCP"] * 4


@pytest.mark.peer
def test_they_are_those_of_mediapipe():
    hands = pytest.importorskip("mediapipe.tasks.python.vision.hand_landmarker")
    assert {landmark.name: landmark.value for landmark in hands.HandLandmark} == {
        landmark.name: landmark.value for landmark in HandLandmark
    }
    theirs = hands.HandLandmarksConnections.HAND_CONNECTIONS
    assert {frozenset((bone.start, bone.end)) for bone in theirs} == set(map(frozenset, CONNECTIONS))
