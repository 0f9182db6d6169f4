"""Turned squares of an image, and cutting them out as a network's input."""

import math
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from handprep import geometry
from handprep.geometry import Affine, Points
from handprep.landmarks import HandLandmark
from handprep.sample import Image

Point: TypeAlias = tuple[float, float] | NDArray[np.floating]  # x, y


@dataclass(frozen=True, slots=True)
class Region:
    """A square of an image, turned by an angle."""

    x: float  # of its centre, pixels of the image
    y: float
    side: float  # pixels of the image
    angle: float = 0.0  # radians; positive turns it clockwise as seen on the screen

    @classmethod
    def around(cls, image: Image) -> Self:
        """Return the smallest square around a whole image."""
        height, width = image.shape[:2]
        return cls(width / 2, height / 2, float(max(width, height)))

    @classmethod
    def upright(cls, start: Point, end: Point, *, centre: Point, side: float) -> Self:
        """Return the square in which the line from `start` to `end` points straight up."""
        (x0, y0), (x1, y1), (x, y) = start, end, centre
        return cls(float(x), float(y), side, math.atan2(x1 - x0, y0 - y1))

    def shifted(self, right: float, down: float) -> Self:
        """Return the square moved along its own axes, in pixels of the image."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        return replace(self, x=self.x + c * right - s * down, y=self.y + s * right + c * down)

    def scaled(self, factor: float) -> Self:
        """Return the square scaled about its centre."""
        return replace(self, side=self.side * factor)

    def turned(self, radians: float) -> Self:
        """Return the square turned about its centre."""
        return replace(self, angle=self.angle + radians)

    def transformed(self, forward: Affine) -> Self:
        """Return the square as it lies after the image was moved by a map that keeps angles."""
        x, y = geometry.apply(forward, (self.x, self.y)).tolist()
        right, down = forward[:, :2] @ (math.sin(self.angle), -math.cos(self.angle))  # where its top points
        side = self.side * geometry.scale_of(forward)
        return replace(self, x=x, y=y, side=side, angle=math.atan2(right, -down))

    def to_image(self) -> Affine:
        """Return the map from shares of the square, 0 to 1, to pixels of the image."""
        c, s = self.side * math.cos(self.angle), self.side * math.sin(self.angle)
        return np.array([[c, -s, self.x - (c - s) / 2], [s, c, self.y - (s + c) / 2]])

    def points(self, shares: ArrayLike) -> NDArray[np.float64]:
        """Map points ``(..., 2)`` from shares of the square to pixels of the image."""
        return geometry.apply(self.to_image(), shares)


MOST_COPIED = 8  # times the pixels of the result; beyond that, copying costs more than it saves


class Cutter:
    """Cuts turned squares out of images as MediaPipe's graph does, into buffers of its own.

    The result has `size` pixels on a side, and pixel u lies at u / size of the square with no half-pixel
    shift. The maps are fixed-point ones because OpenCV 5's warps interpolate exactly where OpenCV 4, and so
    MediaPipe's classic API, rounds to 1/32 pixel: warpAffine of OpenCV 5 gives landmarks up to 2.8 px away,
    these maps 0.04 px. Outside of the image is `border`: ``cv2.BORDER_CONSTANT``, black, or
    ``cv2.BORDER_REPLICATE``. The buffers halve the time: one cutter serves one thread, and its result is
    overwritten by the next cut.
    """

    def __init__(self, size: int, border: int) -> None:
        self._border = border
        self._steps = np.arange(size, dtype=np.float32) / np.float32(size)
        self._maps = np.empty((2, size, size), np.float32)
        self._whole = np.empty((size, size, 2), np.int16)
        self._part = np.empty((size, size), np.uint16)
        self._picture = np.empty((size, size, 3), np.uint8)
        self._made_for: Region | None = None

    def __call__(self, image: Image, region: Region) -> Image:
        """Return the region of a uint8 ``(H, W, 3)`` picture of at most 32,767 pixels on a side."""
        if self._border == cv2.BORDER_REPLICATE:
            image, region = self._continued(image, region)
        if self._made_for != region:  # images of one size share their letterbox
            for (right, down, start), axis in zip(region.to_image().tolist(), self._maps, strict=True):
                np.add(right * self._steps, (down * self._steps + start)[:, None], out=axis)
            cv2.convertMaps(self._maps[0], self._maps[1], cv2.CV_16SC2, self._whole, self._part)
            self._made_for = region
        linear = cv2.INTER_LINEAR
        cv2.remap(image, self._whole, self._part, linear, dst=self._picture, borderMode=self._border)
        return self._picture

    def _continued(self, image: Image, region: Region) -> tuple[Image, Region]:
        """Return the surroundings of a region that sticks out, with the border made, and the region there.

        Nearly every hand's region sticks out of a 300×200 photo, and remap is slow where it does: 0.57 ms,
        against 0.37 ms for making the border first.
        """
        reach = region.side / 2 * (abs(math.cos(region.angle)) + abs(math.sin(region.angle)))
        left, top = math.floor(region.x - reach), math.floor(region.y - reach)
        right, bottom = math.ceil(region.x + reach), math.ceil(region.y + reach)
        right, bottom = right + 2, bottom + 2  # what the last pixels are interpolated with
        height, width = image.shape[:2]
        pads = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
        area = (right - left) * (bottom - top)
        reaches_picture = right > 0 and bottom > 0 and left < width and top < height
        if not any(pads) or not reaches_picture or area > MOST_COPIED * self._part.size:
            return image, region
        inside = image[max(0, top) : bottom, max(0, left) : right]
        continued = cv2.copyMakeBorder(inside, *pads, self._border)
        return np.asarray(continued, np.uint8), replace(region, x=region.x - left, y=region.y - top)


def region_of_landmarks(landmarks: Points) -> Region:
    """Return the square in which the hand of landmarks ``(21, 2)`` is looked at again.

    As in MediaPipe's ``hand_landmark_landmarks_to_roi.pbtxt``: the line from the wrist to the knuckles points
    up, and it is twice as large as the landmarks' box along its axes, and a tenth nearer to the fingers.
    """
    knuckles = (landmarks[HandLandmark.INDEX_FINGER_MCP] + landmarks[HandLandmark.RING_FINGER_MCP]) / 2
    knuckles = (knuckles + landmarks[HandLandmark.MIDDLE_FINGER_MCP]) / 2
    turned = Region.upright(landmarks[HandLandmark.WRIST], knuckles, centre=(0, 0), side=1.0)
    back = geometry.rotation(-turned.angle)
    x0, y0, x1, y1 = geometry.enclosing_box(geometry.apply(back, landmarks[PALM_AND_FIRST_JOINTS]))
    x, y = geometry.apply(geometry.rotation(turned.angle), ((x0 + x1) / 2, (y0 + y1) / 2))
    region = Region(float(x), float(y), max(x1 - x0, y1 - y0), turned.angle)
    return region.shifted(0, TRACK_SHIFT * (y1 - y0)).scaled(TRACK_SCALE)


PALM_AND_FIRST_JOINTS = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
TRACK_SHIFT, TRACK_SCALE = -0.1, 2.0
