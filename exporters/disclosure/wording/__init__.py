"""The words of the pages in each language, as data, and how numbers and times are written there.

A key that one language lacks is an error when it is used and a failing test before that, never a blank.
Numbers and dates follow the locale's CLDR data (babel); times are UTC and say so.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from babel.core import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES = ("ja", "en")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = ("", "k", "M", "G", "T", "P")
_STEP = 1000
_DURATIONS = ((3600, "hour"), (60, "minute"))


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            flat |= _flatten(value, f"{path}.")
        else:
            flat[path] = str(value)
    return flat


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The words of one language. `keys` are dotted paths of its TOML file."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: str) -> str:
        """Return a text with its `{places}` filled in; KeyError when the key or a place is missing."""
        text = self.texts[key]
        return text.format_map(values) if values else text

    def known(self, key: str, otherwise: str) -> str:
        """Return a text, or `otherwise` for a key that a later version may have added."""
        return self.texts.get(key, otherwise)

    def number(self, value: int) -> str:
        """Write a whole number."""
        return str(format_decimal(value, locale=self.language))

    def octets(self, value: int) -> str:
        """Write a size: exact below 1,000 octets, then rounded with SI units and exact in brackets."""
        exact = self("format.bytes", number=self.number(value))
        if abs(value) < _STEP:
            return exact
        size, unit = float(value), 0
        while round(abs(size)) >= _STEP and unit < len(_UNITS) - 1:
            size, unit = size / _STEP, unit + 1
        rounded = format_decimal(round(size, 1 if size < 100 else 0), locale=self.language)  # noqa: PLR2004 - three digits
        return self("format.rounded", rounded=f"{rounded} {_UNITS[unit]}B", exact=exact)

    def duration(self, seconds: int) -> str:
        """Write a duration in the largest unit, up to hours, that leaves no rest."""
        size, unit = next(
            (known for known in _DURATIONS if seconds and seconds % known[0] == 0), (1, "second")
        )
        form = Locale.parse(self.language).plural_form(seconds // size)
        return self(f"duration.{unit}_{form}", number=self.number(seconds // size))

    def share(self, basis_points: int) -> str:
        """Write a share that is given in hundredths of a percent."""
        return f"{format_decimal(basis_points / 100, format='#,##0.00', locale=self.language)} %"

    def instant(self, us: int) -> str:
        """Write UTC microseconds to the second."""
        return format_datetime(_moment(us), self("format.instant"), locale=self.language)

    def day(self, iso: str) -> str:
        """Write an ISO day."""
        return format_date(date.fromisoformat(iso), self("format.day"), locale=self.language)

    def month(self, us: int) -> str:
        """Write the month of UTC microseconds as MM/YYYY, as the EU form asks."""
        return f"{_moment(us):%m/%Y}"


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def iso_instant(us: int) -> str:
    """Return UTC microseconds as RFC 3339 with `Z`, to the microsecond where there is a fraction."""
    return _moment(us).isoformat().replace("+00:00", "Z")


@cache
def load_wording(language: str) -> Wording:
    """Return the words of a language; KeyError for one that is not shipped."""
    if language not in LANGUAGES:
        raise KeyError(language)
    text = files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return Wording(language=language, texts=_flatten(tomllib.loads(text)))
