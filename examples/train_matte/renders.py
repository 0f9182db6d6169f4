"""Rendered hands with exact alpha, in any pose: python -m train_matte.renders OUT [--assets DIR].

Needs ``handprep[examples]`` and EGL, as render_hands.py beside this package does. A run that was stopped
goes on with the next shard.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from handprep.errors import InputError
from rendering import assets, camera, pose
from rendering.body import LONG_FINGERS, WRIST, Body, Pose, RiggedHand
from rendering.exposure import cut_out
from rendering.picture import shoot
from rendering.vectors import Rng, turn
from train_matte import cutouts

SEED = 20_000  # examples/rendered-hands has seed 0
SHARD = 50
POSES_A_PERSON = 5  # a new body takes as long as a picture
PICTURE = (320, 320)
FROM_ALL_SIDES = 10  # first shard whose hands are seen edge on, too; else it is palm or back
TILT = 75.0  # degrees, in these shards
SMALLEST = 90  # pixels of the landmarks' box; smaller hands have no edges to learn from


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--shards", type=int, default=60, help=f"of {SHARD} pictures each (60)")
    parser.add_argument("--first", type=int, default=0, help="number of the first shard (0)")
    parser.add_argument("--assets", type=Path, required=True, help="folder to keep the body model in")
    options = parser.parse_args()
    body = Body(assets.find(options.assets))
    for number in tqdm(range(options.first, options.first + options.shards), unit="shard"):
        path = options.out / f"renders-{number:04d}.npz"
        if not path.exists():
            cutouts.save(path, shard(body, number))


def shard(body: Body, number: int) -> list[tuple[cutouts.Rgba, cutouts.Landmarks, str]]:
    """Render the hands of one shard; the number decides everything about them."""
    tilt = TILT if number >= FROM_ALL_SIDES else camera.TILT
    made: list[tuple[cutouts.Rgba, cutouts.Landmarks, str]] = []
    rng = np.random.default_rng([SEED, number])
    while len(made) < SHARD:
        hand = body.sample(rng)
        for _ in range(POSES_A_PERSON):
            try:
                rgba, landmarks = one(hand, rng, tilt)
            except InputError:  # no camera sees this pose whole
                continue
            if np.ptp(landmarks, axis=0).max() >= SMALLEST:
                made.append((*cutouts.cut(rgba[..., :3], rgba[..., 3], landmarks), f"renders/{number:04d}"))
    return made[:SHARD]


def one(hand: RiggedHand, rng: Rng, tilt: float) -> tuple[cutouts.Rgba, cutouts.Landmarks]:
    """Return one picture before nothing, and its landmarks."""
    shot = shoot(hand, any_pose(hand, rng), PICTURE, rng, tilt=tilt)
    layers = cut_out(shot.colour, shot.depth, shot.crease)
    alpha = layers[..., 3:]
    layers[..., :3] /= np.maximum(alpha, 1e-3)
    return (layers.clip(0, 1) * 255).round().astype(np.uint8), shot.landmarks.astype(np.float32)


def any_pose(hand: RiggedHand, rng: Rng) -> Pose:
    """Return one of the gestures, or every finger bent by its own chance."""
    if rng.random() < 0.35:
        return pose.sample(hand, list(pose.GESTURES.values())[rng.integers(len(pose.GESTURES))], rng)
    sideways, back = rng.uniform((-15, -30), (15, 30))
    turned = {WRIST: turn(hand.palm, sideways) @ turn(hand.ulnar, back)}
    fan, common = rng.uniform(0.2, 1.8), rng.random()
    for finger in LONG_FINGERS:
        bend = np.clip(common + rng.normal(0, 0.35), 0, 1) if rng.random() < 0.6 else rng.integers(2)
        flexions = bend * np.array([85.0, 100.0, 58.0]) + rng.uniform(-8, 12, 3)
        turned |= pose.bent_finger(hand, finger, flexions, fan * (1 - 0.6 * bend))
    return turned | pose.bent_thumb(hand, rng.uniform((-10, -25, -10, -5, -5), (35, 35, 30, 45, 50)))


if __name__ == "__main__":
    main()
