"""The statistics of the experiment, by scipy's methods where it has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and the bounds of its 95 % interval, which are None where one value alone gives none."""

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """McNemar's exact test: images that only the first, and only the second, has right, and its p."""

    first_only: int
    second_only: int
    p: float


def interval(values: ArrayLike) -> Interval:
    """Return the mean of independent values and its interval by Student's t.

    Examples
    --------
    >>> interval([0.5, 0.6, 0.7]).mean
    0.6
    """
    numbers = np.asarray(values, np.float64)
    mean, count = float(numbers.mean()), len(numbers)
    if count < 2:
        return Interval(mean=mean)
    error = float(stats.sem(numbers))
    if error == 0:  # all are equal
        return Interval(mean=mean, low=mean, high=mean)
    low, high = stats.t.interval(LEVEL, count - 1, loc=mean, scale=error)
    return Interval(mean=mean, low=float(low), high=float(high))


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Paired:
    """Compare two classifiers by which images each has right.

    Only images on which they differ count; under the null hypothesis each is as likely to fall to the
    one as to the other, so the binomial distribution gives p exactly.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differing = only_first + only_second
    p = float(stats.binomtest(only_first, differing).pvalue) if differing else 1.0
    return Paired(first_only=only_first, second_only=only_second, p=p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number by Holm's step-down method.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.minimum(1, np.maximum.accumulate(np.asarray(p_values, np.float64)[order] * factors))
    back = np.empty(len(p_values))
    back[order] = adjusted
    return [float(value) for value in back]


def over_sources(values: Sequence[float], seed: int = 0) -> Interval:
    """Return the mean of one value a source and its percentile bootstrap interval.

    Whole sources are drawn, with replacement: images of one source resemble each other, so how many
    there are says little about the next source. With few sources such an interval is rather too narrow.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean=mean)
    drawn = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = drawn.confidence_interval
    return Interval(mean=mean, low=float(low), high=float(high))


def vote(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the class that several networks together give each image.

    Their mean probability decides, not the number of votes: five networks that vote on three classes would
    often tie.

    Parameters
    ----------
    probabilities
        ``(S, N, C)``: networks, images, classes.
    """
    return np.asarray(probabilities.mean(0).argmax(1), np.int64)


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the ``(C, C)`` numbers of images by true class (row) and answer (column)."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, answers), 1)
    return counts
