"""Immutable objects that are known by their parameters: repr, equality, pickle and JSON come from these."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
from PIL import ImageColor

from handprep.errors import InputError
from handprep.text import printable

DEEPEST = 100  # levels of JSON, of which a part within a part takes three; well below Python's own limit


class Configurable:
    """Base of transforms, detectors, segmenters and pipelines.

    A subclass is a frozen dataclass; its fields are its parameters and all its state. `to_dict` and
    `from_dict` go by the class name among the subclasses that are already imported, so that a file of
    settings can name nothing else.

    Attributes
    ----------
    version
        Of the code: raise it when a class gives other results for the same parameters, so that what was
        prepared before is prepared again.
    """

    __slots__ = ()
    version: ClassVar[int] = 1
    _known: ClassVar[dict[str, "type[Configurable]"]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__name__.startswith("_"):
            return
        known = Configurable._known.get(cls.__name__, cls)
        # Defined once more, by dataclass for its slots or in a notebook, or ours, which come first.
        same = (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__)
        if same or cls.__module__.startswith("handprep."):
            Configurable._known[cls.__name__] = cls

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by name, as given or by default."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    @property
    def changed(self) -> dict[str, Any]:
        """The parameters that are not as by default."""
        defaults = {f.name: f.default for f in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in self.parameters.items() if value != defaults[name]}

    @property
    def model_files(self) -> frozenset[str]:
        """Names of the model files (`handprep.models`) that results depend on."""
        return model_files_of(tuple(self.parameters.values()))

    @property
    def versions(self) -> dict[str, int]:
        """The versions of this class's code and of all parts', by their names."""
        versions = {type(self).__name__: self.version}
        for part in _parts_in(tuple(self.parameters.values())):
            versions |= part.versions
        return versions

    def to_dict(self) -> dict[str, Any]:
        """Return name and parameters as JSON values.

        A parameter that is none, or a class whose name another one had first, is an `InputError`.
        """
        own, known = type(self), Configurable._known.get(type(self).__name__)
        if known is not own:
            raise InputError(
                f"{own.__module__}.{own.__qualname__} has the name of a class in "
                f"{known and known.__module__}, and JSON knows classes by their names: rename yours"
            )
        return {"name": own.__name__, "parameters": {k: _plain(v) for k, v in self.parameters.items()}}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Build the object that `to_dict` described.

        The name of no known class of this kind, an unknown or refused parameter, and parts too deep within
        each other are an `InputError`.
        """
        if _is_deeper(data, DEEPEST):
            raise InputError(f"parts lie within each other more than {DEEPEST} levels deep")
        match data:
            case {"name": str(name), "parameters": dict(parameters), **others} if not others:
                known = {n: c for n, c in Configurable._known.items() if issubclass(c, cls)}
            case _:
                raise InputError(f"expected an object with 'name' and 'parameters', not {data!r:.200}")
        if name not in known:
            raise InputError(
                f"unknown {cls.__name__.lower()} {name!r:.100}; known: {', '.join(sorted(known))}"
            )
        try:
            return known[name](**{key: _rich(value) for key, value in parameters.items()})
        except (TypeError, AttributeError) as error:  # an unknown, missing or entirely different parameter
            problem = printable(str(error))  # which may quote a parameter's name
            raise InputError(f"{name} cannot be built from these parameters: {problem}") from error


def _parts_in(value: Any) -> list[Configurable]:
    """Return a part, or all parts in a tuple; none of anything else."""
    items = value if isinstance(value, tuple) else ()
    return [value] if isinstance(value, Configurable) else [part for one in items for part in _parts_in(one)]


def model_files_of(value: Any) -> frozenset[str]:
    """Return the model files of a part, or of all parts in a tuple; none of anything else."""
    return frozenset[str]().union(*(part.model_files for part in _parts_in(value)))


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise InputError unless a parameter is one of its choices."""
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def check_flags(part: Configurable, *names: str) -> None:
    """Raise InputError unless parameters are True or False; numpy's become Python's."""
    for name in names:
        value = getattr(part, name)
        if not isinstance(value, bool | np.bool_):
            raise InputError(f"{name} must be True or False, not {value!r:.100}")
        object.__setattr__(part, name, bool(value))


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number, of Python's or numpy's."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_colour(name: str, colour: Any) -> int | tuple[int, int, int]:
    """Return a colour as a grey or an RGB triple, or raise InputError, which calls it by that name.

    It may be one grey or ``(red, green, blue)``, 0 to 255, or a name or code of CSS's, such as ``"white"``.
    """
    if isinstance(colour, str) and colour.isdecimal():
        colour = int(colour)
    if isinstance(colour, str):
        with suppress(ValueError):
            colour = ImageColor.getrgb(f"rgb({colour})" if colour[:1].isdigit() else colour)[:3]
    parts = tuple(colour) if isinstance(colour, Sequence | np.ndarray) else (colour,)
    if len(parts) not in (1, 3) or not all(is_whole(part) and 0 <= part <= 255 for part in parts):
        raise InputError(
            f"{name} must be a grey or (red, green, blue), each 0 to 255, or a colour such as 'white', "
            f"'#ff8000' or '255,128,0', not {colour!r}"
        )
    levels = tuple(int(part) for part in parts)
    return levels[0] if len(levels) == 1 else levels  # type: ignore[return-value]  # three, as above


def check_range(name: str, value: Any, low: float, high: float) -> None:
    """Raise InputError unless a parameter is a number from `low` to `high`."""
    if not (is_whole(value) or isinstance(value, float | np.floating)) or not low <= value <= high:
        raise InputError(f"{name} must be a number from {low} to {high}, not {value!r}")


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise InputError unless a parameter is a whole number from `low` to `high`."""
    if not is_whole(value) or not low <= value <= high:
        raise InputError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def check_size(name: str, value: Any, low: int, high: int) -> tuple[int, int]:
    """Return height and width, of one number for both or of two, or raise InputError."""
    sides = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(sides) != 2:
        raise InputError(f"{name} must be a number of pixels or (height, width), not {value!r}")
    for side in sides:
        check_whole(name, side, low, high)
    return int(sides[0]), int(sides[1])


def _plain(value: Any) -> Any:
    if isinstance(value, Configurable):
        return value.to_dict()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, np.integer | np.floating):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise InputError(f"{value!r} of type {type(value).__name__} cannot be written as JSON")


def _is_deeper(data: Any, levels: int) -> bool:
    level = [data]
    for _ in range(levels):  # by loops, as recursion is what it guards against
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [value for values in inner for value in values]
    return any(isinstance(value, dict | list) for value in level)


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        return Configurable.from_dict(value)
    if isinstance(value, list):
        return tuple(_rich(item) for item in value)
    return value
