"""Turn photos of hands into clean, uniform training images."""

__version__ = "0.1.0"
