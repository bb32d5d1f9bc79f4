"""The names of a snapshot as one file that is mapped into memory and shared by every process.

A trie (package marisa-trie, extra `sekisho[marisa]`) of the names written backwards, each
followed by a mark of its kind: one prefix query for `moc.elpmaxe.a.` gives every listed parent of
`a.example.com`, and the mark keeps `notexample.com` apart from `example.com`.
Exact answers, no false hits: what is returned is the listed name itself.
`python -m blocklists.index_marisa NAMES FILE` builds one; the store does so in a process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocklists.errors import ListError
from blocklists.index import Kind, decode_names

if TYPE_CHECKING:
    from blocklists.index import Names

_MISSING = "a mapped index needs: pip install 'sekisho[marisa]'"


def is_installed() -> bool:
    """Whether mapped indexes can be built and read here."""
    try:
        import marisa_trie  # noqa: F401, PLC0415 - an optional package
    except ImportError:
        return False
    return True


def _trie(keys: list[str] | None = None) -> Any:  # noqa: ANN401 - the package has no types
    try:
        import marisa_trie  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise ListError(_MISSING) from error
    return marisa_trie.Trie() if keys is None else marisa_trie.Trie(keys)


def build_index(names: Names, path: Path) -> None:
    """Write the index of names to a file. ListError when marisa-trie is missing or the file is refused."""
    keys = [name[::-1] + Kind.SUBTREE.value for name in names.subtree]
    keys += [name[::-1] + Kind.EXACT.value for name in names.exact]
    keys += [name[::-1] + Kind.PREFIX.value for name in names.prefix]
    trie = _trie(keys)
    try:
        trie.save(str(path))
    except OSError as error:
        raise ListError(f"{path}: the index cannot be written ({error})") from error


class MappedIndex:
    """The names of a snapshot, mapped from disk: about two microseconds a check, no memory of its own.

    The file must have been checked against its digest: a trie that was changed can make a reader crash.
    `has_hosts` says whether any name reaches a single host or a path.
    """

    __slots__ = ("_has_hosts", "_prefixes", "_trie")

    def __init__(self, path: Path, *, has_hosts: bool) -> None:
        trie = _trie()
        try:
            trie.mmap(str(path))
        except (OSError, RuntimeError, ValueError) as error:
            raise ListError(f"{path}: cannot be mapped ({error}); build the snapshot anew") from error
        self._trie = trie
        self._prefixes = trie.prefixes
        self._has_hosts = has_hosts

    def find(self, host: str) -> tuple[str, ...]:
        """Return the listed names that a host stands under (see `NameIndex.find`)."""
        backwards = host[::-1]
        listed = self._prefixes(backwards + ".")
        if not listed and not self._has_hosts:
            return ()
        found = [key[-2::-1] for key in reversed(listed)]
        if self._has_hosts and host not in found:
            trie = self._trie
            if backwards + Kind.EXACT.value in trie or backwards + Kind.PREFIX.value in trie:
                found.insert(0, host)
        return tuple(found)


def main(arguments: list[str]) -> int:
    """Build the index of a names file; both paths are given by the store."""
    names, target = map(Path, arguments)
    build_index(decode_names(names.read_bytes()), target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
