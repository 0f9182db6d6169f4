"""A parser that answers wrong usage in one line and suggests what may have been meant."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

WRONG_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """argparse's parser, with a suggestion in place of the usage."""

    def error(self, message: str) -> NoReturn:
        """End the program with exit code 2 and one line."""
        if found := WRONG_CHOICE.search(message):
            message += _suggestion(found[1], re.findall(r"[^\s,']+", found[2]))
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parse, and refuse an unknown option here, where the options of the subcommand are known."""
        known, unknown = super().parse_known_args(args, namespace)
        options = [argument.partition("=")[0] for argument in unknown if argument.startswith("-")]
        if options:
            guesses = (_suggestion(option, self._option_string_actions) for option in options)
            self.error("; ".join(f"no option {o}{guess}" for o, guess in zip(options, guesses, strict=True)))
        return known, unknown


def _suggestion(word: str, choices: Iterable[str]) -> str:
    close = get_close_matches(word, list(choices), n=1)
    return f", did you mean {close[0]}?" if close else ""
