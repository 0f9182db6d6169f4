"""Three rendered hands to try handprep with: rock, paper and scissors, with their true masks and landmarks.

``handprep samples photos`` copies the photos into a folder. The images are dedicated to the public domain
(CC0 1.0).

Examples
--------
>>> from handprep.samples import PHOTOS
>>> [photo.name for photo in sorted(PHOTOS.rglob("*.jpg"))]
['paper-001.jpg', 'rock-000.jpg', 'scissors-002.jpg']
"""

from pathlib import Path

FOLDER = Path(__file__).parent
"""Has ``photos/CLASS/NAME.jpg``, ``masks/CLASS/NAME.png`` and, with landmarks, ``annotations.json``."""

PHOTOS = FOLDER / "photos"
"""The photos: RGB JPEGs of 480 x 360 pixels in a folder for each class."""
