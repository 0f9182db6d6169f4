"""What the results mean, in sentences."""

from __future__ import annotations

from typing import Any

from experiment.statistics import Interval

SIGNIFICANT = 0.05

HYPOTHESIS = (
    "H0: the preprocessing makes no difference to accuracy on the test images. It is rejected for an arm "
    "if two conditions hold: the 95 % interval of the difference to raw images, over networks of the same "
    "seeds, excludes zero; and McNemar's exact test on what the networks of all seeds answer together "
    f"(their mean probability decides) gives p < {SIGNIFICANT}, adjusted for the number of arms by Holm's "
    "method."
)


def points(value: float) -> str:
    """Return a difference of accuracies in percentage points.

    >>> points(0.123), points(-0.04)
    ('+12.3', '−4.0')
    """
    return f"{100 * value:+.1f}".replace("-", "−")


def percent(value: float) -> str:
    """Return an accuracy.

    >>> percent(0.5)
    '50.0 %'
    """
    return f"{100 * value:.1f} %"


def p_value(p: float) -> str:
    """Return a p value as papers print it.

    >>> p_value(0.00002), p_value(0.034)
    ('p < 0.001', 'p = 0.034')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def is_rejected(on_test: dict[str, Any]) -> bool | None:
    """Tell whether H0 is rejected for an arm; None where one seed alone cannot tell."""
    difference = _interval(on_test["difference"])
    if difference.low is None:
        return None
    return bool(difference.excludes_zero and on_test["mcnemar"]["p_adjusted"] < SIGNIFICANT)


def verdicts(results: dict[str, Any]) -> list[str]:
    """Return a sentence for each arm that was compared: whether H0 is rejected, and by how much."""
    return [
        f"**{results['arms'][name]['title']}**: {_verdict(told['sets']['test'])}"
        for name, told in results["compared_with_raw"].items()
    ]


def _verdict(on_test: dict[str, Any]) -> str:
    difference, test = on_test["difference"], on_test["mcnemar"]
    seeds = len(difference["values"])
    rejected = is_rejected(on_test)
    if rejected is None:
        return (
            f"not decided: one seed gives no interval. The difference is {points(difference['mean'])} "
            f"points, McNemar {p_value(test['p_adjusted'])}."
        )
    size = (
        f"{points(difference['mean'])} points ({points(difference['low'])} to {points(difference['high'])} "
        f"over {seeds} seeds; McNemar {p_value(test['p_adjusted'])}: {test['first_only']} images only "
        f"this arm has right, {test['second_only']} only raw)"
    )
    if rejected:
        better = "higher" if difference["mean"] > 0 else "lower"
        return f"H0 is rejected. Accuracy on test is {better} than with raw images, by {size}."
    return f"H0 is not rejected. The difference to raw images on test is {size}."


def beyond(results: dict[str, Any]) -> list[str]:
    """Return a sentence for each arm on how far its effect holds from source to source."""
    return [
        f"**{results['arms'][name]['title']}**: {_from_source_to_source(told['sources'])}"
        for name, told in results["compared_with_raw"].items()
    ]


def steps_beyond(results: dict[str, Any]) -> list[str]:
    """Return the same for each step."""
    return [f"**{told['step']}**: {_from_source_to_source(told['sources'])}" for told in results["steps"]]


def _from_source_to_source(sources: dict[str, Any]) -> str:
    better = sum(value > 0 for value in sources["differences"].values())
    span = f"{points(sources['mean'])} points"
    if sources["low"] is not None:
        span += f" ({points(sources['low'])} to {points(sources['high'])}), which "
        span += "excludes zero" if _interval(sources).excludes_zero else "includes zero"
    return f"better in {better} of {len(sources['differences'])} sources; on the mean source {span}."


def _interval(told: dict[str, Any]) -> Interval:
    return Interval(mean=told["mean"], low=told["low"], high=told["high"])


def limits(results: dict[str, Any]) -> list[str]:
    """Return what the results do not show."""
    tested = [group for group in results["photos"] if group.startswith("test/")]
    said = [
        f"The test images come from {_number(len(tested), 'source')}. Images of one source resemble "
        "each other, so McNemar's test, which assumes that they are independent, overstates how certain a "
        "difference is; and intervals over seeds show the luck of training, not what other photos would "
        "give. For that see the differences from source to source, whose interval is rough if there are "
        "few sources.",
        "An arm does several things at once: a crop also makes the hand larger in the 64 pixels. Only the "
        "differences between arms separate such effects.",
        "One small network, one size of image and one set of training settings. Larger or pretrained "
        "networks, and augmentation, may need such preparation less.",
    ]
    if not any(told["left_out_origin"] for told in results["arms"].values()):
        said.append("No origin was left out, so only validation and test tell about new origins.")
    return said


def warnings(results: dict[str, Any]) -> list[str]:
    """Return what a reader must know before the first figure."""
    said = []
    if results["rendered"]:
        said.append(
            "These images were rendered by the project's own renderer. They show that the experiment works, "
            "and roughly what to expect; they are no evidence about photos."
        )
    settings = results["settings"]
    if settings["quick"]:
        said.append(
            f"This was a quick run: {_number(settings['seeds'], 'seed')}, {settings['epochs']} epochs "
            "instead of 100. The networks have not finished learning."
        )
    elif settings["seeds"] < 5 or settings["epochs"] < 100:
        said.append(
            f"{_number(settings['seeds'], 'seed')} and {settings['epochs']} epochs are fewer than the 5 and "
            "100 that the experiment is meant for."
        )
    return said


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
