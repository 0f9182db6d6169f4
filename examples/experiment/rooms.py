"""What stands behind the hands of the embedded set: studios and cluttered rooms, some with a person."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from rendering.background import Background, Canvas, clutter, far_scene, skin_coloured, tiles, wall, wood
from rendering.skin import tone
from rendering.vectors import Array

GREEN = np.array([0.13, 0.55, 0.24])


def white(canvas: Canvas) -> Array:
    """Nothing, as behind computer-generated hands."""
    return np.ones_like(canvas.x) * canvas.rng.uniform(0.97, 1, 3)


def green(canvas: Canvas) -> Array:
    """Cloth of one green, lit unevenly."""
    return GREEN * canvas.rng.uniform(0.8, 1.2) * canvas.light


def shelves(canvas: Canvas) -> Array:
    """Boards with upright boxes of all colours on them, as books on a shelf."""
    rng, (width, height) = canvas.rng, canvas.size
    image = canvas.colour * 0.6 * canvas.light
    board = rng.uniform(0.2, 0.4) * height
    for top in np.arange(-rng.uniform(0, board), height, board):
        left = 0.0
        while left < width:
            wide, high = rng.uniform(0.02, 0.08) * width, rng.uniform(0.5, 0.95) * board
            box = _rectangle(canvas, (left, top + board - high), (left + wide, top + board - 2))
            image = np.where(box, rng.uniform(0.1, 0.9, 3) * canvas.light, image)
            left += wide + rng.choice([1, 1, 1, 12])
    return np.asarray(gaussian_filter(image, rng.uniform(0.5, 2), axes=(0, 1)))


def window(canvas: Canvas) -> Array:
    """Dim wall with a bright window, furniture before it."""
    rng, (width, height) = canvas.rng, canvas.size
    image = wall(canvas) * 0.7
    left, top = rng.uniform(0, 0.6) * width, rng.uniform(0, 0.3) * height
    wide, high = rng.uniform(0.25, 0.45) * width, rng.uniform(0.3, 0.6) * height
    for column in (0.0, 0.52):
        pane = _rectangle(canvas, (left + column * wide, top), (left + (column + 0.45) * wide, top + high))
        image = np.where(pane, rng.uniform(0.85, 1), image)
    for _ in range(rng.integers(3, 8)):
        corner = np.array([rng.uniform(-0.1, 0.9) * width, rng.uniform(0.5, 0.9) * height])
        piece = _rectangle(canvas, corner, corner + rng.uniform(0.1, 0.4, 2) * (width, height))
        image = np.where(piece, rng.uniform(0.1, 0.7, 3) * canvas.light, image)
    return np.asarray(gaussian_filter(image, rng.uniform(0.5, 2), axes=(0, 1)))


def with_person(room: Background) -> Background:
    """Return a room in which somebody stands: a head and a shirt, as a webcam sees its user."""

    def occupied(canvas: Canvas) -> Array:
        rng, (width, height) = canvas.rng, canvas.size
        image = room(canvas)
        head = np.array([rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.45) * height])
        size = rng.uniform(0.12, 0.2) * height
        skin, shirt, hair = tone(rng.uniform(0, 7)), rng.uniform(0.05, 0.9, 3), rng.uniform(0.03, 0.4, 3)
        down = np.array([0, size])
        figure = (
            (head + 2.8 * down, (2.1 * size, 1.9 * size), shirt),
            (head - 0.25 * down, (0.95 * size, 1.15 * size), hair),
            (head + 0.1 * down, (0.75 * size, size), skin),
        )
        for centre, reach, colour in figure:
            offset = np.dstack([canvas.x - centre[0], canvas.y - centre[1]]) / reach
            inside = np.linalg.norm(offset, axis=2)[..., None]
            image = np.where(inside < 1, colour * (1.05 - 0.25 * inside) * canvas.light, image)
        return np.asarray(gaussian_filter(image, rng.uniform(0.5, 1.5), axes=(0, 1)))

    return occupied


def _rectangle(canvas: Canvas, start: Array | tuple[float, float], end: Array | tuple[float, float]) -> Array:
    """Return where a rectangle lies, ``(H, W, 1)``."""
    inside_x = (canvas.x >= start[0]) & (canvas.x < end[0])
    return np.asarray(inside_x & (canvas.y >= start[1]) & (canvas.y < end[1]))


ROOMS: dict[str, Background] = {
    "white": white,
    "green": green,
    "wall": wall,
    "clutter": clutter,
    "far-scene": far_scene,
    "clutter, person": with_person(clutter),
    "wood": wood,
    "tiles, person": with_person(tiles),
    "window, person": with_person(window),
    "skin-coloured": skin_coloured,
    "shelves": shelves,
    "shelves, person": with_person(shelves),
}
