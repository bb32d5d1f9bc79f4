"""Has a checkpoint attested by others, and keeps what they attested; `verify_anchors` checks it later.

`sekisho log anchor` is run by itself (a timer, cron), beside the crawl and never in its way: it takes the
newest checkpoint, asks each authority and witness, and stores what holds. What is not answered is asked
again the next time; an attestation of a later checkpoint covers all before it.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from sqlalchemy import func, insert, select

from blocklists.errors import UsageError
from crawler.decisionlog import schema, store, timestamps, witness
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.notes import Note, VerifierKey, parse_checkpoint, parse_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate
    from sqlalchemy.engine import Connection

    from crawler.decisionlog.place import LogPlace
    from crawler.decisionlog.reader import LogReader

    _Response = http.client.HTTPResponse | urllib.error.HTTPError

RFC3161: Final = "rfc3161"
COSIGNATURE: Final = "cosignature"
_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody answered over HTTP."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """An attestation that holds: of which checkpoint, by whom, when (UTC, microseconds)."""

    kind: str
    name: str
    size: int
    time_us: int
    body: bytes


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An authority that sends us elsewhere is not the one that was named."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


def post(url: str, body: bytes, media_type: str, longest: int) -> Answer:
    """Send a body and return the answer, whatever its status. Raises LogError when there is none."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:  # brackets that hold no IPv6 address
        scheme = ""
    if scheme not in {"http", "https"}:
        raise UsageError(f"{url!r} is no http or https address")
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
        url,
        data=body,
        headers={"Content-Type": media_type, "User-Agent": "Sekisho-log-anchor"},
        method="POST",
    )
    try:
        with _sent(request) as response:
            return _answer(response, longest)
    except (OSError, http.client.HTTPException, ValueError) as error:
        words = str(getattr(error, "reason", "") or error) or type(error).__name__
        raise LogError(f"{url} could not be asked: {words}; it is asked again the next time") from error


def _sent(request: urllib.request.Request) -> _Response:
    """Return the answer as it begins, whatever its status."""
    try:
        return cast("_Response", urllib.request.build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_S))
    except urllib.error.HTTPError as error:
        return error


def _answer(response: _Response, longest: int) -> Answer:
    """Read a body that is not too long and does not take too long: the timeout is for each octet of it."""
    body, end = b"", time.monotonic() + _TIMEOUT_S
    while part := response.read1(longest + 1):
        body += part
        if len(body) > longest:
            raise LogError(f"{response.url} answered with more than {longest:,} octets")
        if time.monotonic() > end:
            raise TimeoutError(f"its answer was not whole after {_TIMEOUT_S:.0f} s")
    return Answer(status=response.status or 0, media_type=response.headers.get("Content-Type", ""), body=body)


def newest_note(reader: LogReader) -> Note:
    """Return the newest checkpoint. Raises LogError when there is none."""
    text = reader.newest_checkpoint()
    if text is None:
        why = "it has format 1" if reader.format == schema.FORMAT_1 else "nothing was ever written to it"
        raise LogError(f"{reader.path} has no checkpoint to be attested: {why}")
    return parse_note(text.encode())


def ask_authority(url: str, note: Note, roots: Sequence[Certificate], *, made_us: int) -> Attested:
    """Return a timestamp of the note by the authority at this address. Raises LogError."""
    question = timestamps.question(str(note).encode())
    answer = post(url, question.octets, timestamps.QUERY_TYPE, timestamps.LONGEST_REPLY)
    if answer.status != http.HTTPStatus.OK:
        raise LogError(f"{url} gave no timestamp: status {answer.status}")
    try:
        time_us = timestamps.check(
            answer.body, question.message, roots, nonce=question.nonce, not_before_us=made_us
        )
    except timestamps.TimestampError as error:
        raise LogError(f"{url} answered nonsense: {error}") from error
    return Attested(
        kind=RFC3161, name=url, size=parse_checkpoint(note).size, time_us=time_us, body=answer.body
    )


def ask_witness(
    url: str, key: VerifierKey, note: Note, leaves: Sequence[bytes], *, old_size: int
) -> Attested:
    """Return the cosignature of the note by the witness with this submission prefix.

    Raises LogError, and before anything is sent UnverifiableError when its answer could not be verified here.
    """
    witness.check_support(key)
    address = f"{url.rstrip('/')}/add-checkpoint"
    size = parse_checkpoint(note).size
    for _ in range(2):
        body = witness.request(old_size, leaves, note)
        answer = post(address, body, "text/plain; charset=utf-8", witness.LONGEST_ANSWER)
        wanted = witness.size_wanted(answer.status, answer.media_type, answer.body)
        if wanted is None or wanted == old_size:
            break
        if wanted > size:
            raise LogError(
                f"the witness {key.name} has seen {wanted:,} entries of this log, and it has {size:,}:"
                " the log was rolled back; run `sekisho log verify`"
            )
        old_size = wanted
    cosigned = witness.read_answer(answer.status, answer.body, note, key)
    return Attested(
        kind=COSIGNATURE,
        name=str(key),
        size=size,
        time_us=cosigned.time_s * 1_000_000,
        body=cosigned.line.encode(),
    )


def last_cosigned(reader: LogReader, key: VerifierKey) -> int:
    """Return the size of the newest checkpoint that this witness cosigned, 0 without one."""
    column = schema.anchor.c
    statement = select(func.max(column.size)).where(column.kind == COSIGNATURE, column.name == str(key))
    return int(reader.rows(statement)[0][0] or 0)


def keep(place: LogPlace, attested: Attested) -> None:
    """Store an attestation. Raises LogError."""
    connection = store.open_for_writing(place)
    try:
        with store.explained(place, "write"):
            store.begin(connection)
            store.number_alone(connection)
            _insert(connection, attested)
            store.commit(connection)
        store.tidy(connection)
    finally:
        connection.close()


def _insert(connection: Connection, attested: Attested) -> None:
    newest = connection.execute(select(func.max(schema.anchor.c.id))).scalar()
    connection.execute(
        insert(schema.anchor).values(
            id=(newest or 0) + 1,
            size=attested.size,
            ts_us=attested.time_us,
            kind=attested.kind,
            name=attested.name,
            body=attested.body,
        )
    )
