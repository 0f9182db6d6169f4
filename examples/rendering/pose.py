"""How a hand shows rock, paper or scissors: the turns of its bones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from rendering.body import INDEX, LONG_FINGERS, MIDDLE, RING, THUMB, WRIST, Pose, RiggedHand, bone
from rendering.vectors import Array, Rng, across, angle, move, turn, unit

JOINTS = (1, 2, 3)
THUMB_AT_REST = np.array([20.0, 0.0, 15.0, 20.0, 25.0])  # a good start for a thumb that lies on a finger
THUMB_LIMITS = ([-20, -40, -30, -5, 0], [60, 40, 60, 60, 70])


@dataclass(frozen=True, slots=True, kw_only=True)
class Gesture:
    """A class of poses.

    Attributes
    ----------
    extended
        The long fingers that are stretched out; the others are curled into a fist.
    spread
        Least and most fan of the stretched fingers: 0 is parallel, 1 is the fan at rest.
    thumb_on
        The curled finger that the thumb lies on; None for a thumb that stands off.
    together
        Share of hands whose stretched fingers and thumb are closed up.
    """

    extended: tuple[int, ...]
    spread: tuple[float, float]
    thumb_on: int | None
    together: float = 0.0


GESTURES = {
    "rock": Gesture(extended=(), spread=(0, 0), thumb_on=MIDDLE),
    "paper": Gesture(extended=LONG_FINGERS, spread=(0.6, 1.25), thumb_on=None, together=0.35),
    "scissors": Gesture(extended=(INDEX, MIDDLE), spread=(0.9, 1.8), thumb_on=RING),
}


def sample(hand: RiggedHand, gesture: Gesture, rng: Rng) -> Pose:
    """Return a random natural pose of a gesture."""
    sideways, back = rng.uniform((-10, -15), (10, 15))
    pose = {WRIST: turn(hand.palm, sideways) @ turn(hand.ulnar, back)}
    together = gesture.together > 0 and rng.random() < gesture.together
    fan = 0.28 if together else rng.uniform(*gesture.spread)
    fist = rng.uniform((78, 98, 52), (90, 108, 66))
    for finger in LONG_FINGERS:
        if finger in gesture.extended:
            pose |= bent_finger(hand, finger, rng.uniform((-8, 0, -2), (12, 12, 6)), fan)
        else:
            pose |= bent_finger(hand, finger, fist + rng.uniform(-3, 3, 3), 0.4)
    if gesture.thumb_on is not None:
        return pose | thumb_lying_on(hand, pose, gesture.thumb_on, rng.uniform(0.35, 0.65))
    low, high = (25, 32) if together else (-20, 12)  # sideways: at the index finger, or off it
    return pose | bent_thumb(hand, rng.uniform((-8, low, 0, -5, -5), (8, high, 0, 15, 20)))


def bent_finger(hand: RiggedHand, finger: int, flexions: Array, spread: float) -> Pose:
    """Return the turns that give a long finger's three joints their flexions.

    Parameters
    ----------
    hand
        The hand at rest; its fingers are slightly bent already, which is allowed for.
    finger
        INDEX to PINKY.
    flexions
        ``(3,)`` degrees from straight, from the knuckle to the tip.
    spread
        1 keeps the fan of the rest pose, 0 makes the finger parallel to the middle finger.
    """
    flat, middle = (unit(across(hand.along(bone(f, 1)), hand.palm)) for f in (finger, MIDDLE))
    hinge, before = np.cross(flat, hand.palm), flat
    pose: Pose = {}
    for joint, flexion in zip(JOINTS, flexions, strict=True):
        along = hand.along(bone(finger, joint))
        pose[bone(finger, joint)] = turn(hinge, flexion - angle(before, along, hinge))
        before = along
    fan = angle(middle, flat, hand.palm)
    pose[bone(finger, 1)] = turn(hand.palm, (spread - 1) * fan) @ pose[bone(finger, 1)]
    return pose


def bent_thumb(hand: RiggedHand, angles: Array) -> Pose:
    """Return the turns of the thumb from rest.

    Parameters
    ----------
    hand
        The hand at rest.
    angles
        ``(5,)`` degrees: flexion, sideways and twist of the base, flexion of the middle, of the end joint.
    """
    pose: Pose = {}
    for joint, flexion in zip(JOINTS, (angles[0], angles[3], angles[4]), strict=True):
        name = bone(THUMB, joint)
        pose[name] = turn(np.cross(hand.along(name), hand.pad(name)), flexion)
    base = bone(THUMB, 1)
    pose[base] = pose[base] @ (turn(hand.pad(base), angles[1]) @ turn(hand.along(base), angles[2]))
    return pose


def thumb_lying_on(hand: RiggedHand, pose: Pose, finger: int, share: float) -> Pose:
    """Return the turns of a thumb whose pad lies across the middle bone of a curled finger.

    No closed form is needed: the five angles are solved for where the thumb's end should be and face.

    Parameters
    ----------
    hand
        The hand at rest.
    pose
        The turns of all other bones.
    finger
        The curled finger.
    share
        Where on its middle bone, 0 (near the knuckle) to 1.
    """
    under, end = bone(finger, 2), bone(THUMB, 3)
    matrix = hand.matrices(pose)[under]
    outward = matrix[:3, :3] @ -hand.pad(under)
    place = (1 - share) * hand.heads[under] + share * hand.tails[under]
    goal = move(matrix, place) + 0.08 * hand.length * outward  # the finger's own thickness

    def misfit(angles: Array) -> Array:
        matrices = hand.matrices(pose | bent_thumb(hand, angles))
        joint, tip = hand.landmarks(matrices)[3:5]
        facing = matrices[end][:3, :3] @ hand.pad(end)
        reach = (0.35 * joint + 0.65 * tip - goal) / hand.length
        lift = 4 * (joint - goal) @ outward / hand.length
        across_finger = unit(tip - joint) - hand.ulnar
        strain = (angles - THUMB_AT_REST) / 90
        return np.concatenate([8 * reach, [lift], 0.4 * (facing + outward), 0.8 * across_finger, strain])

    return bent_thumb(hand, least_squares(misfit, THUMB_AT_REST, bounds=THUMB_LIMITS).x)
