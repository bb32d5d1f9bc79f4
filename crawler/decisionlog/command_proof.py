"""`sekisho log prove` and `sekisho log check`: take a proof from a log, and check one without any log."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blocklists.errors import ExitCode, UsageError
from crawler.decisionlog.command_keys import trusted_keys, witness_keys
from crawler.decisionlog.export import rfc3339
from crawler.decisionlog.notes import NoteError
from crawler.decisionlog.proof import LIMIT, ProofError, Proved, check
from crawler.decisionlog.prove import prove_host, prove_record
from crawler.decisionlog.show import find_record, find_segment
from crawler.decisionlog.witness import Cosigned, cosigned
from policies.console import OutputFormat, as_json, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from crawler.decisionlog.notes import VerifierKey
    from crawler.decisionlog.reader import LogReader

SCHEMA: Final = "sekisho.proof-check/1"
_TIMES: Final = frozenset({"ts_us", "first_us", "last_us"})


def prove(reader: LogReader, arguments: argparse.Namespace) -> int:
    """Write the proof that was asked for. Raises SekishoError."""
    if (arguments.place is None) == (arguments.host is None):
        raise UsageError("name one record (SEGMENT#IDX), or a host with --host and --segment")
    if arguments.host is not None:
        if arguments.segment is None:
            raise UsageError("--host needs --segment: sums by host are those of one segment")
        proof = prove_host(reader, arguments.host, find_segment(reader, arguments.segment))
    else:
        record = find_record(reader, arguments.place)
        proof = prove_record(reader, record.segment, record.idx)
    text = json.dumps(proof, indent=1, sort_keys=True) + "\n"
    if arguments.out is None:
        sys.stdout.write(text)
        return ExitCode.DONE
    try:
        _write_new(Path(arguments.out), text)
    except OSError as error:
        raise UsageError(f"{arguments.out} cannot be written: {error.strerror or error}") from error
    return ExitCode.DONE


def _write_new(path: Path, text: str) -> None:
    """Write a file that was not there; none is left when it cannot be whole. Raises OSError."""
    with path.open("x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except BaseException:
            path.unlink()
            raise


def check_proof(arguments: argparse.Namespace) -> int:
    """Check a proof against the given keys, say what it proves, and return 0, or 4 when it proves nothing.

    Every witness that is named must have cosigned.
    """
    keys, witnesses = trusted_keys(arguments.key), witness_keys(arguments.witness_key)
    try:
        with Path(arguments.file).open("rb") as file:
            octets = file.read(LIMIT + 1)  # what is longer is no proof, and need not be read to the end
    except OSError as error:
        raise UsageError(f"{arguments.file} cannot be read: {error.strerror or error}") from error
    try:
        proved = check(octets, keys)
        seen = [(key.short, _seen_by(key, proved)) for key in witnesses]
    except ProofError as error:
        print(f"sekisho: {arguments.file} proves nothing: {printable(str(error))}", file=sys.stderr)
        return ExitCode.TAMPERED
    if OutputFormat(arguments.format) is OutputFormat.TABLE:
        print("\n".join(_lines(proved, seen)))
    else:
        print(as_json(SCHEMA, _members(proved, seen)))
    return ExitCode.DONE


def _members(proved: Proved, seen: Sequence[tuple[str, Cosigned]]) -> dict[str, object]:
    return {
        "proved": True,
        "about": proved.about,
        "present": proved.present,
        "log": proved.log,
        "checkpoint_size": proved.checkpoint_size,
        "not_after": rfc3339(proved.ts_us),
        "signed_by": list(proved.signed_by),
        "cosigned_by": [{"witness": witness, "at": _at(cosignature)} for witness, cosignature in seen],
        "fields": dict(proved.fields),
    }


def _seen_by(witness: VerifierKey, proved: Proved) -> Cosigned:
    try:
        return cosigned(proved.checkpoint, witness)
    except NoteError as error:
        raise ProofError(f"the witness {witness.short} did not cosign its checkpoint: {error}") from error


def _at(cosignature: Cosigned) -> str:
    return rfc3339(cosignature.time_s * 1_000_000)


def _lines(proved: Proved, seen: Sequence[tuple[str, Cosigned]]) -> Iterator[str]:
    what = "is in" if proved.present else "is NOT in"
    yield f"Proved: {printable(proved.about)} {what} the log {printable(proved.log)}."
    yield (
        f"Its root stands in an entry of {rfc3339(proved.ts_us)}, covered by the checkpoint of size"
        f" {proved.checkpoint_size:,}, signed by {printable(', '.join(proved.signed_by))}."
    )
    for witness, cosignature in seen:
        yield f"The witness {printable(witness)} cosigned it at {_at(cosignature)}."
    for name, value in proved.fields:
        if value is not None:
            shown = _moment(value) if name in _TIMES and isinstance(value, int) else value
            yield f"  {name:18} {printable(str(shown))}"


def _moment(us: int) -> str:
    try:
        datetime.fromtimestamp(us // 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{us} us"
    return rfc3339(us)
