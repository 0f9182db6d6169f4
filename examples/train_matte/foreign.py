"""What is in a training picture besides the hand: backgrounds, shadows, other hands, sleeves, objects."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from handprep.landmarks import FINGERS, PALM, HandLandmark

Array = NDArray[np.float32]  # colours 0 … 255 (H, W, 3), or a weight 0 … 1 (H, W)
Rng = np.random.Generator

SKIN = np.array(  # sRGB from very light to very dark, as the renderer has them
    [(244, 214, 196), (222, 174, 142), (200, 146, 112), (166, 112, 80), (128, 82, 57), (74, 48, 37)],
    np.float32,
)


def scene(images: list[NDArray[np.uint8]], side: int, rng: Rng) -> Array:
    """Return a random background: a photo, two of them, or a surface."""
    kind = rng.random()
    if kind < 0.14:
        return surface(side, rng)
    picture = piece(images[rng.integers(len(images))], side, rng)
    if kind < 0.3:  # something in front of something
        other = (
            surface(side, rng) if rng.random() < 0.3 else piece(images[rng.integers(len(images))], side, rng)
        )
        shape = blob(side, rng)[..., None]
        picture = picture * (1 - shape) + other * shape
    return picture


def piece(image: NDArray[np.uint8], side: int, rng: Rng) -> Array:
    """Return a random piece of a picture, turned and scaled at random."""
    height, width = image.shape[:2]
    share = np.exp(rng.uniform(np.log(0.3), np.log(1.1)))
    scale = side / (share * min(height, width))
    centre = rng.uniform(0.25, 0.75, 2) * (width, height)
    matrix = cv2.getRotationMatrix2D(tuple(centre.tolist()), rng.uniform(-180, 180), scale)
    matrix[:, 2] += side / 2 - centre
    if rng.random() < 0.5:
        image = image[:, ::-1]
    if scale < 0.6:
        image = cv2.blur(image, (2, 2))
    warped = cv2.warpAffine(
        image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(warped, np.float32)


def surface(side: int, rng: Rng, skin: float = 0.5) -> Array:
    """Return a wall, cloth or board: two close colours, mixed by noise, lit from one side.

    With the probability `skin`, the colour is one that skin has, too.
    """
    colour = SKIN[rng.integers(len(SKIN))] if rng.random() < skin else rng.uniform(0, 255, 3)
    colour = colour.astype(np.float32)
    other = colour + rng.normal(0, 30, 3).astype(np.float32)
    grain = noise(side, np.exp(rng.uniform(np.log(1.5), np.log(40))), rng)[..., None]
    return np.clip(
        (colour * grain + other * (1 - grain)) * gradient(side, 0.5, rng)[..., None], 0, 255
    ).astype(np.float32)


def noise(side: int, cell: float, rng: Rng) -> Array:
    """Return a smooth random field in 0 … 1 with features of about `cell` pixels."""
    small = max(2, int(side / cell))
    field = rng.random((small, small), np.float32)
    return cv2.resize(field, (side, side), interpolation=cv2.INTER_CUBIC).clip(0, 1)


def gradient(side: int, strength: float, rng: Rng) -> Array:
    """Return factors around 1 that change linearly in a random direction."""
    angle, much = rng.uniform(0, 2 * np.pi), rng.uniform(0, strength)
    along = np.linspace(-1, 1, side, dtype=np.float32)
    down, right = np.float32(much * np.sin(angle)), np.float32(much * np.cos(angle))
    return 1 + right * along[None, :] + down * along[:, None]


def blob(side: int, rng: Rng) -> Array:
    """Return a random shape: a half plane, an ellipse, a bar or a polygon, with a soft edge."""
    mask = np.zeros((side, side), np.float32)
    centre = rng.uniform(0, side, 2)
    kind = rng.integers(3)
    if kind == 0:
        axes = rng.uniform(0.08, 0.5, 2) * side
        cv2.ellipse(mask, (tuple(centre), tuple(axes), float(rng.uniform(0, 180))), 1.0, cv2.FILLED)
    elif kind == 1:
        angle = rng.uniform(0, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)]) * 2 * side
        ends = np.stack([centre - along, centre + along]).astype(int)
        cv2.line(mask, ends[0].tolist(), ends[1].tolist(), 1.0, int(rng.uniform(0.02, 0.3) * side) + 1)
    else:
        points = centre + rng.normal(0, 0.3 * side, (rng.integers(3, 7), 2))
        cv2.fillPoly(mask, [cv2.convexHull(points.astype(np.int32))], 1.0)
    return cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.2))


def shadow(alpha: Array, rng: Rng) -> Array:
    """Return factors that darken the background where a hand's shadow falls."""
    side = alpha.shape[0]
    moved = np.roll(alpha, rng.integers(-side // 8, side // 8 + 1, 2), (0, 1))
    soft = cv2.GaussianBlur(moved, (0, 0), np.exp(rng.uniform(np.log(1.5), np.log(10))))
    return np.asarray(1 - rng.uniform(0.1, 0.6) * soft, np.float32)


def occluder(landmarks: Array, side: int, rng: Rng) -> Array:
    """Return the weight of an object before the hand: a stick, a ball or a card across it."""
    mask = np.zeros((side, side), np.float32)
    near = landmarks[rng.integers(21)] + rng.normal(0, 0.04 * side, 2)
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    if rng.random() < 0.5:
        ends = np.stack(
            [near - along * rng.uniform(0.1, 0.6) * side, near + along * rng.uniform(0.1, 0.6) * side]
        )
        width = int(rng.uniform(0.02, 0.1) * side) + 1
        cv2.line(mask, ends[0].astype(int).tolist(), ends[1].astype(int).tolist(), 1.0, width)
    else:
        axes = rng.uniform(0.05, 0.28, 2) * side
        cv2.ellipse(
            mask, (tuple(near.tolist()), tuple(axes.tolist()), float(np.degrees(angle))), 1.0, cv2.FILLED
        )
    return cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.0))


def held(landmarks: Array, side: int, rng: Rng) -> tuple[Array, Array]:
    """Return the weights of an object in the hand, a box, cup or pen, and of the fingers in front of it."""
    thing, fingers = (np.zeros((side, side), np.float32) for _ in range(2))
    palm = landmarks[PALM].mean(0)
    length = max(
        float(np.hypot(*(landmarks[HandLandmark.WRIST] - landmarks[HandLandmark.MIDDLE_FINGER_MCP]))), 1
    )
    pinch = landmarks[[HandLandmark.THUMB_TIP, HandLandmark.INDEX_FINGER_TIP]].mean(0)
    centre = palm + rng.uniform(0, 1) * (pinch - palm) + rng.normal(0, 0.15 * length, 2)
    size = rng.uniform((0.5, 0.12), (2.2, 1.1)) * length
    box = (tuple(centre.tolist()), tuple(size.tolist()), float(rng.uniform(0, 180)))
    if rng.random() < 0.7:
        cv2.fillPoly(thing, [cv2.boxPoints(box).astype(np.int32)], 1.0)
    else:
        cv2.ellipse(thing, box, 1.0, cv2.FILLED)
    for finger in FINGERS:
        if rng.random() < 0.65:
            joints = landmarks[finger[rng.integers(0, 3) :]].round().astype(np.int32)
            width = max(2, round(rng.uniform(0.14, 0.22) * length))
            cv2.polylines(fingers, [joints], False, 1.0, width)
    soft = rng.uniform(0.4, 1.0)
    return cv2.GaussianBlur(thing, (0, 0), soft), cv2.GaussianBlur(fingers, (0, 0), soft)


def printed(image: Array, rng: Rng) -> Array:
    """Return a surface with lines of text on it."""
    image = np.clip(image, 0, 255).astype(np.uint8)
    side, size = image.shape[0], np.exp(rng.uniform(np.log(0.3), np.log(2.5)))
    colour = rng.uniform(0, 255, 3).tolist()
    for y in range(int(rng.integers(0, 30)), side + 20, max(8, int(28 * size))):
        letters = "".join(chr(letter) for letter in rng.integers(65, 123, 40))
        at = (int(rng.integers(-60, 20)), y)
        cv2.putText(
            image, letters, at, int(rng.integers(0, 8)), size, colour, int(rng.integers(1, 4)), cv2.LINE_AA
        )
    return image.astype(np.float32)


def sleeve(landmarks: Array, side: int, rng: Rng) -> Array:
    """Return the weight of a sleeve: everything near the arm beyond a line across it."""
    along, across, length = _arm(landmarks, side)
    begin = rng.uniform(0.15, 1.2) * length
    bend = rng.uniform(-0.3, 0.3) * across**2 / length
    width = rng.uniform(0.32, 0.6) * length + rng.uniform(0, 0.3) * np.maximum(along - begin, 0)
    return np.clip(np.minimum(along + bend - begin, width - np.abs(across)) + 0.5, 0, 1)


def watch(landmarks: Array, side: int, rng: Rng) -> Array:
    """Return the weight of a band around the wrist or forearm; it stays part of the arm."""
    along, across, length = _arm(landmarks, side)
    middle, half = rng.uniform(0.1, 0.6) * length, rng.uniform(0.03, 0.13) * length
    bend = rng.uniform(-0.2, 0.2) * across**2 / length
    return np.clip(half - np.abs(along + bend - middle) + 0.5, 0, 1)


def _arm(landmarks: Array, side: int) -> tuple[Array, Array, float]:
    """Return how far from the wrist, along the arm and across it, each pixel is, and the palm's length."""
    down = landmarks[HandLandmark.WRIST] - landmarks[HandLandmark.MIDDLE_FINGER_MCP]
    length = max(float(np.hypot(*down)), 0.12 * side)
    down = down / max(float(np.hypot(*down)), 1e-3)
    y, x = np.mgrid[:side, :side].astype(np.float32) + 0.5
    x, y = x - landmarks[HandLandmark.WRIST, 0], y - landmarks[HandLandmark.WRIST, 1]
    return x * down[0] + y * down[1], x * down[1] - y * down[0], length


def clothing(images: list[NDArray[np.uint8]], side: int, rng: Rng) -> Array:
    """Return the look of cloth or of an object: one colour, often dark, or a piece of some picture."""
    if rng.random() < 0.6:
        return surface(side, rng, skin=0.05) * np.float32(rng.choice([1.0, 0.5, 0.15]))
    return piece(images[rng.integers(len(images))], side, rng)
