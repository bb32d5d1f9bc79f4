"""Whether a process grew while it did the same all the time: samples in, figures out."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PART = 10  # what comes first and what comes last are a tenth each
FEWEST = 5  # samples in a tenth; with fewer nothing can be said


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What was measured in the first and in the last tenth of the time after warm-up."""

    first: float
    last: float
    most: float

    @property
    def ratio(self) -> float:
        """How many times as large it became."""
        return self.last / self.first


def _after(samples: Sequence[tuple[float, float]], warm: float, until: float) -> list[float]:
    kept = [value for at, value in samples if warm <= at <= until]
    if len(kept) < PART * FEWEST:
        raise ValueError(f"{len(kept)} samples between {warm:.0f} and {until:.0f} s are too few to judge")
    return kept


def growth_of_typical(samples: Sequence[tuple[float, float]], *, warm: float, until: float) -> Growth:
    """Compare medians of samples (seconds, value): what the system gave, which a single burst does not move."""
    kept = _after(samples, warm, until)
    tenth = len(kept) // PART
    return Growth(first=median(kept[:tenth]), last=median(kept[-tenth:]), most=max(kept))


def growth_of_floor(samples: Sequence[tuple[float, float]], *, warm: float, until: float) -> Growth:
    """Compare minima of samples: what stays when a burst is over and garbage is gone, so that little is seen."""
    kept = _after(samples, warm, until)
    tenth = len(kept) // PART
    return Growth(first=min(kept[:tenth]), last=min(kept[-tenth:]), most=max(kept))
