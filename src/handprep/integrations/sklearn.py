"""Features of hands as a scikit-learn transformer."""

import os
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from handprep.errors import HandNotFoundError
from handprep.features import FEATURES, names_of
from handprep.optional import missing_extra
from handprep.prepared import read
from handprep.sample import Hand, Sample

try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ImportError as error:
    raise missing_extra("scikit-learn", "sklearn", error) from error

__all__ = ["LandmarkFeatures"]


class LandmarkFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turn hands into rows of features (`handprep.features`), for a scikit-learn pipeline.

    Parameters
    ----------
    features
        A name in `handprep.features.FEATURES`, or several, whose columns stand side by side. The two of the
        default together were best on photos of new origins (docs/explanation/study.md).

    Examples
    --------
    >>> points = np.random.default_rng(0).uniform(0, 100, (21, 2))
    >>> hand = Hand(landmarks=points, depth=points[:, 0], box=(0, 0, 100, 100), score=1.0)
    >>> LandmarkFeatures("joint_angles").fit_transform([hand]).shape
    (1, 28)
    """

    def __init__(self, features: str | Iterable[str] = ("normalised", "palm_frame")) -> None:
        self.features = features

    def fit(self, X: Iterable[Any], y: Any = None) -> Self:
        """Check the parameters; there is nothing to learn."""
        names_of(self.features)
        return self

    def transform(self, X: Iterable[Hand | Sample | str | os.PathLike[str]]) -> NDArray[np.float32]:
        """Return float32 ``(N, F)``, a row for each hand.

        Parameters
        ----------
        X
            Hands; samples, or the files of prepared images, of which the first hand counts.

        Raises
        ------
        HandNotFoundError
            If a sample has no hand. Leave such out, or prepare with ``on_missing="skip"``.
        InputError
            If a hand lacks the landmarks or the depth that the features are made of.
        """
        names = names_of(self.features)
        rows = [[FEATURES[name](hand).ravel() for name in names] for hand in map(_hand, X)]
        columns = self.get_feature_names_out()
        return np.array([np.concatenate(row) for row in rows], np.float32).reshape(len(rows), len(columns))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the ``(F,)`` names of the columns."""
        return np.concatenate([np.array(columns, object) for columns in names_of(self.features).values()])

    def __sklearn_is_fitted__(self) -> bool:
        return True


def _hand(item: Hand | Sample | str | os.PathLike[str]) -> Hand:
    if isinstance(item, Hand):
        return item
    sample = item if isinstance(item, Sample) else read(item)
    if sample.hand is None:
        raise HandNotFoundError(f"{sample.name} has no hand; leave it out, or prepare with on_missing='skip'")
    return sample.hand
