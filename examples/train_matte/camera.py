"""The faults of camera, light and file that a training picture gets as a whole."""

from __future__ import annotations

import cv2
import numpy as np

from train_matte.foreign import Array, Rng, gradient


def blurred(image: Array, alpha: Array, rng: Rng) -> tuple[Array, Array]:
    """Return picture and alpha, now and then out of focus or moved during the exposure."""
    kind = rng.random()
    if kind < 0.15:
        sigma = rng.uniform(0.5, 2.2)
        return tuple(cv2.GaussianBlur(plane, (0, 0), sigma) for plane in (image, alpha))
    if kind < 0.27:
        size = int(rng.integers(3, 14))
        kernel = np.zeros((size, size), np.float32)
        angle = rng.uniform(0, np.pi)
        reach = np.array([np.cos(angle), np.sin(angle)]) * (size - 1) / 2
        first, last = ((size - 1) / 2 + sign * reach for sign in (-1, 1))
        cv2.line(kernel, first.round().astype(int).tolist(), last.round().astype(int).tolist(), 1.0)
        kernel /= kernel.sum()
        return tuple(cv2.filter2D(p, -1, kernel, borderType=cv2.BORDER_REPLICATE) for p in (image, alpha))
    return image, alpha


def developed(image: Array, rng: Rng) -> Array:
    """Return the picture with other exposure, contrast, white balance or saturation."""
    image = image / 255
    if rng.random() < 0.7:
        image = image * np.exp(rng.normal(0, 0.1, 3)).astype(np.float32)
    if rng.random() < 0.5:
        image = cv2.pow(np.clip(image, 0, 1), float(np.exp(rng.normal(0, 0.35))))
    if rng.random() < 0.5:
        image = (image - 0.5) * np.float32(rng.uniform(0.6, 1.3)) + np.float32(0.5 + rng.normal(0, 0.1))
    if rng.random() < 0.12:
        image = image * np.float32(np.exp(rng.uniform(np.log(0.12), np.log(0.6))))
    elif rng.random() < 0.22:  # blown out: skin has no colour any more
        gain = np.exp(rng.uniform(np.log(1.3), np.log(4)) + rng.normal(0, 0.08, 3)).astype(np.float32)
        image = np.clip(image * gain, 0, 1) * np.float32(rng.uniform(0.85, 1))
    if rng.random() < 0.3:
        image = image * gradient(image.shape[0], 0.5, rng)[..., None]
    kind, grey = rng.random(), cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY)[..., None]
    if kind < 0.1:
        image = np.repeat(grey, 3, axis=2)
    elif kind < 0.35:
        image = grey + (image - grey) * np.float32(rng.uniform(0.3, 1.5))
    elif kind < 0.38:
        image = image[..., ::-1]
    elif kind < 0.48:  # a coloured lamp
        image = grey * rng.uniform(0.3, 1.3, 3).astype(np.float32) * 0.6 + image * 0.4
    return image * np.float32(255)


def recorded(image: Array, rng: Rng) -> np.ndarray:
    """Return the picture as uint8, with the sensor's noise and the file's losses."""
    side = image.shape[0]
    if rng.random() < 0.7:
        spread = np.exp(rng.uniform(np.log(0.5), np.log(18)))
        image = image + np.float32(spread) * rng.standard_normal(image.shape, np.float32)
    if rng.random() < 0.03:  # salt and pepper
        hit = rng.random(image.shape[:2], np.float32) < rng.uniform(0.002, 0.03)
        image = np.where(hit[..., None], 255.0 * (rng.random() < 0.8), image)
    pixels = np.clip(image, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        small = int(side * rng.uniform(0.35, 0.9))
        pixels = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.2:  # sharpened
        blunt = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.7, 2))
        much = rng.uniform(0.3, 2)
        pixels = cv2.addWeighted(pixels, 1 + much, blunt, -much, 0)
    if rng.random() < 0.4:
        _, code = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(12, 95))])
        pixels = cv2.imdecode(code, cv2.IMREAD_COLOR)
    return pixels
