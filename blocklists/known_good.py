"""Sites that published lists are known to name wrongly: libraries, publishers, licensed services, tools.

Decides that a list of community weight does not block them unseen: its rows for these names are quarantined,
with the reason, until somebody who stands for it lists the name under another weight.
The names stand in `known_good.toml`, which says of each what it is.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from blocklists.formats.row import MAX_ROW_TEXT, RowProblem
from blocklists.manifest import parse_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blocklists.formats.row import Rows

_FILE = "known_good.toml"


class _Names(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str = Field(min_length=1)
    names: tuple[str, ...] = Field(min_length=1)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    group: tuple[_Names, ...]


@cache
def known_good() -> Mapping[str, str]:
    """Return canonical host names and what each is."""
    octets = files("blocklists").joinpath(_FILE).read_bytes()
    groups = parse_model(Path(_FILE), octets, _File).group
    return {name: group.what for group in groups for name in group.names}


def spare_known_good(rows: Rows) -> tuple[Rows, tuple[RowProblem, ...]]:
    """Return the rows without those that would block a known site whole, and what was taken out.

    A row takes such a site with it when it names the site or a parent of it; path rows stay.
    """
    wide: dict[str, str] = {}
    for name, what in known_good().items():
        labels = name.split(".")
        for cut in range(len(labels) - 1):
            wide.setdefault(".".join(labels[cut:]), f"{name} ({what})")
    # One pass in C finds out that nothing is wrong, which is the usual case of a long list.
    suspects = wide.keys() & set(rows.patterns)
    if not suspects:
        return rows, ()
    places = [
        at
        for at, pattern in enumerate(rows.patterns)
        if pattern in suspects and rows[at].action.value == "block"
    ]
    spared = tuple(
        RowProblem(
            line_no=rows.line_nos[at],
            text=rows[at].text[:MAX_ROW_TEXT],
            why=f"would block {wide[rows.patterns[at]]}; list the name under another weight if it is meant",
        )
        for at in places
    )
    return rows.without(frozenset(places)), spared
