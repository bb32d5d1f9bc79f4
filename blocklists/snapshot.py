"""One immutable state of all block lists, named by its content.

Loads a folder in the form that it has: with a `CURRENT` file, the compiled snapshot that it names
(`store_load`); without one, the lists themselves (`store_folder`). Every decision of a run cites the digest
of the state that it was made with. A state is complete or refused: an empty matcher does not exist here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocklists.errors import ListError
from blocklists.index import IndexChoice
from blocklists.store import read_current
from blocklists.store_folder import load_folder
from blocklists.store_load import load_compiled
from blocklists.store_manifest import Snapshot

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Snapshot", "load_snapshot"]


def load_snapshot(folder: Path, *, now_us: int, index: IndexChoice = IndexChoice.AUTO) -> Snapshot:
    """Return the state of a folder of lists that is in force.

    `now_us` (UTC, microseconds) only serves to report entries outside their term; `index` says how the names
    of a compiled snapshot are held. Raises ListError for a folder that is missing or holds no manifest, for
    a list or a snapshot that cannot be trusted, for lists that were changed after they were compiled, and
    when no entry at all is in force.
    """
    digest = read_current(folder)
    if digest is None:
        return load_folder(folder, now_us=now_us)
    try:
        return load_compiled(folder, digest, now_us=now_us, index=index)
    except ListError:
        # Another state may have come into force, and this one been removed, since `CURRENT` was read.
        newer = read_current(folder)
        if newer is None or newer == digest:
            raise
        return load_compiled(folder, newer, now_us=now_us, index=index)
