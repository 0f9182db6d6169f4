"""Who finds the hand's pixels."""

from handprep.segmentation.base import RatingSegmenter, Segmenter
from handprep.segmentation.matte import HandMatte
from handprep.segmentation.rembg import RembgSegmenter

SEGMENTERS = ("auto", "fast", "rembg", "alpha")  # methods of BackgroundRemover by name

__all__ = ["SEGMENTERS", "HandMatte", "RatingSegmenter", "RembgSegmenter", "Segmenter"]
