"""How often something was begun and not ended, as its process died meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from handprep.integrations.ray.place import Place
from handprep.integrations.ray.record import STATE

ATTEMPTS = f"{STATE}/attempts"


@dataclass(frozen=True, slots=True)
class Attempts:
    """Counts in files, so that they outlive those who count.

    Ray gives a batch to another actor as often as actors die of it. So a photo that crashes its process
    would keep the job from ever ending, if nobody counted.

    Parameters
    ----------
    place
        The folder of outputs.
    run
        What the files of this run are named by.
    """

    place: Place
    run: str

    def begin(self, what: str) -> int:
        """Return how often this was begun and not ended, this time included."""
        try:
            before = len(self.place.read(self._name(what)))
        except FileNotFoundError:
            before = 0
        self.place.write(self._name(what), b"." * (before + 1))
        return before + 1

    def end(self, what: str) -> None:
        """Forget how often this was begun."""
        self.place.remove(self._name(what))

    def _name(self, what: str) -> str:
        return f"{ATTEMPTS}/{self.run}-{what}"
