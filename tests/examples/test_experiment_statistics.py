"""The experiment's statistics against scipy, statsmodels and counting."""

from __future__ import annotations

import itertools
import sys
from math import comb
from pathlib import Path

import numpy as np
import pytest

stats = pytest.importorskip("scipy.stats", reason="needs handprep[examples]: scipy")
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from experiment.statistics import (  # noqa: E402
    Interval,
    confusion,
    holm,
    interval,
    mcnemar,
    over_sources,
    vote,
)

ACCURACIES = [0.61, 0.66, 0.58, 0.7, 0.64]


def test_interval_is_that_of_students_t() -> None:
    found = interval(ACCURACIES)
    expected = stats.ttest_1samp(ACCURACIES, 0).confidence_interval(0.95)
    assert found.mean == pytest.approx(0.638)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)


def test_interval_of_five_values_as_a_table_of_t_has_it() -> None:
    error = np.std(ACCURACIES, ddof=1) / np.sqrt(5)
    assert interval(ACCURACIES).high == pytest.approx(0.638 + 2.776 * error, abs=1e-4)  # t with 4 degrees


def test_one_value_gives_no_interval() -> None:
    assert interval([0.5]) == Interval(mean=0.5, low=None, high=None)
    assert not interval([0.5]).excludes_zero


def test_equal_values_give_an_interval_without_width() -> None:
    assert interval([0.25, 0.25, 0.25]) == Interval(mean=0.25, low=0.25, high=0.25)


@pytest.mark.parametrize(
    ("values", "expected"), [([1, 2, 3], False), ([5, 6, 7], True), ([-5, -6, -7], True)]
)
def test_interval_tells_whether_it_excludes_zero(values: list[float], expected: bool) -> None:
    assert interval(values).excludes_zero is expected


def answers(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two classifiers' rights and wrongs, shuffled alike."""
    pairs = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second
    table = np.array(pairs + [(False, False)] * neither)[
        np.random.default_rng(0).permutation(both + first + second + neither)
    ]
    return table[:, 0], table[:, 1]


@pytest.mark.parametrize(("first", "second"), [(9, 1), (1, 9), (5, 5), (30, 12), (0, 6)])
def test_mcnemar_is_the_sum_of_binomial_probabilities(first: int, second: int) -> None:
    found = mcnemar(*answers(20, first, second, 7))
    count = first + second
    tail = sum(comb(count, fewer) for fewer in range(min(first, second) + 1)) / 2**count
    assert (found.first_only, found.second_only) == (first, second)
    assert found.p == pytest.approx(min(1, 2 * tail))


def test_mcnemar_of_two_that_never_differ_is_one() -> None:
    assert mcnemar(*answers(5, 0, 0, 5)).p == 1


@pytest.mark.peer
@pytest.mark.parametrize(("first", "second"), [(9, 1), (30, 12), (3, 4), (0, 6)])
def test_mcnemar_is_that_of_statsmodels(first: int, second: int) -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables", reason="statsmodels is a peer only")
    expected = tables.mcnemar([[20, first], [second, 7]], exact=True).pvalue
    assert mcnemar(*answers(20, first, second, 7)).p == pytest.approx(expected)


@pytest.mark.peer
@pytest.mark.parametrize("p_values", [[0.01, 0.04, 0.03, 0.005], [0.5], [0.9, 0.8, 0.7], [0.02, 0.02]])
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is a peer only")
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


def test_holm_as_its_paper_works_it_out() -> None:
    # smallest times 4, next times 3, next times 2, largest as it is; none below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_bootstrap_over_sources_draws_whole_sources() -> None:
    values = [0.02, 0.1, 0.3]
    means = [np.mean(drawn) for drawn in itertools.product(values, repeat=3)]
    found = over_sources(values)
    assert found.mean == pytest.approx(0.14)
    # all 27 draws are equally likely; the interval's ends are near the outermost, which have 1/27 each
    assert found.low == pytest.approx(min(means), abs=1e-9)
    assert found.high == pytest.approx(max(means), abs=1e-9)


def test_bootstrap_is_the_same_each_time_and_needs_two_sources() -> None:
    assert over_sources(ACCURACIES) == over_sources(ACCURACIES)
    assert over_sources([0.3]) == Interval(mean=0.3, low=None, high=None)


def test_bootstrap_of_many_values_is_near_that_of_t() -> None:
    values = np.random.default_rng(1).normal(0.1, 0.05, 200)
    found, expected = over_sources(list(values)), interval(values)
    assert expected.low is not None
    assert found.low == pytest.approx(expected.low, abs=0.002)  # a third of the standard error


def test_the_mean_probability_decides_a_vote() -> None:
    probabilities = np.array([[[0.9, 0.1, 0.0]], [[0.4, 0.6, 0.0]], [[0.45, 0.55, 0.0]]])
    assert vote(probabilities).tolist() == [0]  # though two of three say 1


def test_confusion_counts_true_classes_in_rows() -> None:
    labels, given = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 0, 2, 2])
    assert confusion(labels, given, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
