"""What is remembered between two refreshes (`state.json`), and how old each list of a folder is.

Decides when a list is too old to start a crawl with: a list that somebody publishes and nobody confirms any
more protects less every day, and silently. Lists of the operator's own, without a date of fetching, do not
age.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from blocklists import store
from blocklists.errors import ListError
from blocklists.refresh_judge import Outcome
from blocklists.refresh_plan import Freshness, SourceState, age_words, judge_age

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from blocklists.entry import Source

SCHEMA = "sekisho.blocklists-state/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Age:
    """How old one list is: when it was last confirmed (UTC, microseconds), and what that means."""

    source_id: str
    confirmed_at: int
    freshness: Freshness


def load_states(folder: Path) -> dict[str, SourceState]:
    """Return what is known of each fetched list of a folder; ListError when the file is damaged."""
    path = folder / store.STATE
    try:
        members = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    try:
        if members["schema"] == SCHEMA:
            return {str(name): _state(one) for name, one in members["lists"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error
    raise ListError(f"{path}: is of another version ({members['schema']!r}); this one reads {SCHEMA}")


def save_states(folder: Path, states: Mapping[str, SourceState]) -> None:
    """Write what is known of each fetched list, in one step."""
    members = {"schema": SCHEMA, "lists": {name: asdict(states[name]) for name in sorted(states)}}
    store.write_whole(folder / store.STATE, (json.dumps(members, indent=1) + "\n").encode())


def last_outcome(state: SourceState) -> Outcome | None:
    """Return what became of the last attempt to refresh a list; None when it was never tried."""
    if state.tried_at is None:
        return None
    if state.held_sha256:
        return Outcome.HELD
    if state.failures:
        return Outcome.FAILED
    return Outcome.ACCEPTED if state.fetched_at == state.tried_at else Outcome.UNCHANGED


def list_ages(
    folder: Path, sources: Iterable[Source], *, now_us: int, warn_days: float, refuse_days: float
) -> list[Age]:
    """Return the age of every list that was fetched, oldest first."""
    states = load_states(folder)
    ages = []
    for source in sources:
        state = states.get(source.source_id)
        confirmed = max(source.fetched_at or 0, (state.checked_at or 0) if state else 0)
        if confirmed:
            freshness = judge_age(confirmed, now_us, warn_days=warn_days, refuse_days=refuse_days)
            ages.append(Age(source_id=source.source_id, confirmed_at=confirmed, freshness=freshness))
    return sorted(ages, key=lambda age: (age.confirmed_at, age.source_id))


def require_fresh(folder: Path, sources: Iterable[Source], *, now_us: int, refuse_days: float) -> None:
    """Raise ListError when a list is older than a crawl may start with."""
    ages = list_ages(folder, sources, now_us=now_us, warn_days=refuse_days, refuse_days=refuse_days)
    expired = [age for age in ages if age.freshness is Freshness.EXPIRED]
    if expired:
        named = ", ".join(f"{age.source_id} ({age_words(age.confirmed_at, now_us)})" for age in expired)
        raise ListError(
            f"{folder}: nobody confirmed these lists for more than {refuse_days:g} days: {named}; "
            "run: sekisho blocklists refresh (or raise SEKISHO_LISTS_REFUSE_DAYS, and say why in your policy)"
        )


def _state(members: dict[str, object]) -> SourceState:
    known = {field.name: field.default for field in fields(SourceState)}
    for name, value in members.items():
        if name not in known:
            raise ValueError(f"unknown member {name!r}")
        wanted = int if known[name] is None or isinstance(known[name], int) else str
        if not (isinstance(value, wanted) or (value is None and known[name] is None)):
            raise ValueError(f"{name} is {value!r}")
    return SourceState(**members)  # type: ignore[arg-type] # checked above


def _damaged(path: Path, error: Exception) -> ListError:
    return ListError(
        f"{path}: is damaged ({error}); remove it, and the next refresh asks for every list anew"
    )
