"""The retention schedule: which records are kept for how long, from when, why, and on whose authority.

A TOML file that people read first: every series names its records, its period, what starts it, the reason and
the authority. Series that are not in a log (pages that were kept, inquiries) stand there too, so that there
is one schedule; `sekisho retention` applies those of the log only.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from blocklists.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = "sekisho.retention/1"
DEFAULT_FILE: Final = "policies/retention.toml"
_PERIOD: Final = re.compile(r"P(?=\d)(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?", re.ASCII)
_MONTHS: Final = 12
_LAST_DAY: Final = 31

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Place(StrEnum):
    """Where the records of a series are."""

    LOG = "log"
    ELSEWHERE = "elsewhere"


class Series(BaseModel):
    """One line of the schedule. `name` is the retention class that segments of a log carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    records: Text = Field(description="what the records are, in words")
    place: Place = Place.LOG
    period: str | None = Field(
        description="ISO 8601 duration in years, months and days, such as P3Y; absent: for ever", default=None
    )
    trigger: Literal["run_end"] | Text = Field(
        description="what starts the period; run_end is the last record of a run", default="run_end"
    )
    reason: Text = Field(description="why so long")
    authority: Text = Field(description="law, code item or decision that says so")
    storage: Text | None = None
    disposal: Text = "the records are deleted; roots, seals and sums by host stay"
    export_first: bool = Field(
        description="whether a verified export must exist before records go", default=True
    )

    @field_validator("period")
    @classmethod
    def _a_duration(cls, value: str | None) -> str | None:
        if value is not None and not _PERIOD.fullmatch(value):
            raise ValueError("write an ISO 8601 duration in years, months and days, such as P3Y or P90D")
        return value

    def due_us(self, from_us: int) -> int | None:
        """Return when a period that began at `from_us` ends (UTC, microseconds); None: never."""
        if self.period is None:
            return None
        match = _PERIOD.fullmatch(self.period)
        years, months, days = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
        start = datetime.fromtimestamp(from_us // 1_000_000, UTC)
        end = _later(start, years * _MONTHS + months) + timedelta(days=days)
        return int(end.timestamp()) * 1_000_000 + from_us % 1_000_000


class Schedule(BaseModel):
    """The whole schedule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["sekisho.retention/1"] = Field(alias="schema")
    owner: Text = Field(description="who answers for the schedule")
    series: tuple[Series, ...] = Field(min_length=1)

    @field_validator("series")
    @classmethod
    def _each_once(cls, value: tuple[Series, ...]) -> tuple[Series, ...]:
        names = [one.name for one in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"series {', '.join(twice)} stands there twice")
        return value

    def of(self, name: str) -> Series | None:
        """Return the series of the log with this name, or None."""
        return next((one for one in self.series if one.name == name and one.place is Place.LOG), None)


def _later(start: datetime, months: int) -> datetime:
    """Return the moment so many calendar months later; a day that its month lacks is its last."""
    index = start.year * _MONTHS + start.month - 1 + months
    year, month = divmod(index, _MONTHS)
    for day in range(min(start.day, _LAST_DAY), 0, -1):
        try:
            return start.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise ValueError(f"no day {months} months after {start.isoformat()}")


def load_schedule(path: Path) -> Schedule:
    """Return the schedule in a file. Raises UsageError with what is wrong in it."""
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"there is no retention schedule {path}: a log without one is never pruned."
            " Write one (see the README of crawler/decisionlog), or name it with --schedule"
        ) from None
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    try:
        return Schedule.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(_problem(one) for one in error.errors())
        raise UsageError(f"{path}: {problems}") from None


def _problem(error: Any) -> str:  # noqa: ANN401 - pydantic's own dictionary
    place = ".".join(str(part) for part in error["loc"]) or "the file"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"
