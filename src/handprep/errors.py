"""The errors that handprep raises on purpose: each says what was wrong, where, and what helps."""


class HandprepError(Exception):
    """Base of every error that handprep raises on purpose.

    Attributes
    ----------
    concerns_all
        Whether every other image would meet it, too: a model file, a package or room on the disk is missing.
        Where many images are prepared, such an error ends the run; any other concerns one image.
    """

    concerns_all = False


class InputError(HandprepError, ValueError):
    """An argument has the wrong type, shape, dtype or range."""


class ImageError(HandprepError):
    """An image could not be read, or is larger than the limits allow."""


class OutputError(HandprepError):
    """A result could not be written."""


class HandNotFoundError(HandprepError):
    """No hand was found in an image that must show one (``on_missing="raise"``)."""


class SampleSkipped(HandNotFoundError):  # noqa: N818 - a decision, not a fault
    """No hand was found and the sample is to be left out (``on_missing="skip"``)."""


class ModelError(HandprepError):
    """A model file is missing, damaged, cannot be fetched or cannot be opened."""

    concerns_all = True


class MissingExtraError(HandprepError, ImportError):
    """An optional package is not installed, or one of its system libraries is missing."""

    concerns_all = True
