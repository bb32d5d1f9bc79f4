"""Remembers how the words of records are encoded, which few records of a segment have alone. For verifying.

Stage, verdict, reason, kind, method, attempt, status, media type and error come in few combinations. A
verification asks for all of them by one key, and gets the octets of `encoding`. Pure; imports the standard
library and `encoding`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from crawler.decisionlog.encoding import field_int, field_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WORDS: Final = (
    "context_id", "stage", "verdict", "reason", "kind", "method", "attempt", "status", "media_type", "error",
)  # fmt: skip
"""The columns of a key, in this order: a tuple of them (texts as octets), or a JSON array of them as octets.

A JSON array must tell integers, texts and NULL apart, as `json_array` of SQLite does: `5`, `"5"`, `null`.
"""

_GENERATION: Final = 10_000
_LONGEST: Final = 512  # octets of a key that is worth remembering


class Word:
    """The words of a record: their context, and the encoded fields before and behind those that differ.

    `head` is fields 6 to 13, `middle` 20 and 21, `tail` 24 and 25. `hosts` is what the caller's `group` gave.
    """

    __slots__ = ("context", "head", "hosts", "is_request", "is_run", "middle", "tail")

    def __init__(
        self,
        values: tuple[Any, ...],
        contexts: Mapping[int, tuple[bytes, bytes, bytes]],
        group: Callable[[bytes, bytes, bytes, bytes], dict[bytes, int]] | None,
    ) -> None:
        context, stage, verdict, reason, kind, method, attempt, status, media_type, error = values
        fragment, policy, _ = contexts[context]
        self.context: int = context
        self.head = fragment + b"".join(map(field_text, (stage, verdict, reason, kind, method)))
        self.middle = field_int(attempt) + field_int(status)
        self.tail = field_text(media_type) + field_text(error)
        self.is_request = stage == b"request"
        self.is_run = stage == b"run"
        self.hosts = {} if group is None else group(policy, stage, verdict, reason)


class Words(dict[Any, Word]):
    """Words by their key. Remembers the newest: twice as many at most as one generation has.

    `contexts` gives encoded context and policy digest by number; `group` gets policy, stage, verdict and
    reason of each new one.
    """

    __slots__ = ("_before", "_contexts", "_group")

    def __init__(
        self,
        contexts: Mapping[int, tuple[bytes, bytes, bytes]],
        group: Callable[[bytes, bytes, bytes, bytes], dict[bytes, int]] | None = None,
    ) -> None:
        super().__init__()
        self._contexts = contexts
        self._group = group
        self._before: dict[Any, Word] = {}

    def __missing__(self, key: bytes | tuple[Any, ...]) -> Word:
        """Encode, or recall. Raises TypeError, ValueError or struct.error on what no writer writes."""
        word = self._before.get(key)
        if word is None:
            word = Word(_from_json(key) if isinstance(key, bytes) else key, self._contexts, self._group)
        size = len(key) if isinstance(key, bytes) else len(word.head) + len(word.tail)
        if size <= _LONGEST:
            if len(self) >= _GENERATION:
                self._before = dict(self)
                self.clear()
            self[key] = word
        return word


def _from_json(key: bytes) -> tuple[Any, ...]:
    """Return the values of a JSON array, texts as octets. Raises TypeError or ValueError on anything else."""
    values = json.loads(key.decode())
    if not set(map(type, values)) <= _TYPES:
        raise TypeError("neither a text nor an integer")
    return tuple([value.encode() if isinstance(value, str) else value for value in values])


_TYPES: Final = frozenset({int, str, type(None)})
