"""`sekisho log head` and `sekisho log key`: what to publish of a log, and how its key is changed.

A key is changed in two signed steps: the old key signs that the new one is added, then the new one signs that
the old one is retired. From then on nothing that the old key signs is accepted, while all that it signed
before stays valid.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from blocklists.errors import UsageError
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.keys import load_or_create_key
from crawler.decisionlog.location import custody_of, log_url
from crawler.decisionlog.notes import (
    COSIGNATURES,
    ED25519,
    LONGEST_NOTE,
    NoteError,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    verifier_key,
)
from crawler.decisionlog.registry import KeyAdded, KeyRetired
from crawler.decisionlog.registry_state import KnownCheckpoint
from crawler.decisionlog.retention.acts import Actor
from crawler.decisionlog.schema import FORMAT_1
from policies.console import OutputFormat, as_json, render

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from crawler.decisionlog.notes import VerifierKey
    from crawler.decisionlog.reader import LogReader

HEAD: Final = "sekisho.log-head/1"
KEYS: Final = "sekisho.log-keys/1"


def known_checkpoints(files: Sequence[str], witnesses: Sequence[VerifierKey] = ()) -> list[KnownCheckpoint]:
    """Return the checkpoints in files, which these witnesses may have cosigned. Raises UsageError."""
    found = []
    for name in files:
        try:
            found.append(KnownCheckpoint.read(name, _octets_in(name), witnesses))
        except OSError as error:
            raise UsageError(f"the checkpoint {name} cannot be read: {error.strerror or error}") from error
        except NoteError as error:
            raise UsageError(
                f"{name} holds no checkpoint: {error}; name a file that `sekisho log head` wrote"
            ) from error
    return found


def _octets_in(name: str) -> bytes:
    """Return what is in a file, or more than any note may have: a device has no end. Raises OSError."""
    with Path(name).open("rb") as file:
        return file.read(LONGEST_NOTE + 1)


def trusted_keys(texts: Sequence[str]) -> list[VerifierKey]:
    """Return keys of logs, each given as its text or the name of a file with it.

    Raises UsageError, also for a witness's key: what a witness signs is not what the log's operator signs.
    """
    found = _keys(texts, "--key")
    for key in found:
        if key.type != ED25519:
            raise UsageError(
                f"--key {key.short} is no key of a log: type 0x01 is needed, this is 0x{key.type:02x};"
                " give a witness's key with --witness-key"
            )
    return found


def witness_keys(texts: Sequence[str], *, option: str = "--witness-key") -> list[VerifierKey]:
    """Return the keys of witnesses, given as those of logs are. Raises UsageError, also for a log's key."""
    found = _keys(texts, option)
    for key in found:
        if key.type not in COSIGNATURES:
            raise UsageError(
                f"{option} {key.short} is no key of a witness: type 0x04 or 0x06 is needed, this is"
                f" 0x{key.type:02x}"
            )
    return found


def _keys(texts: Sequence[str], option: str) -> list[VerifierKey]:
    found = []
    for text in texts:
        try:
            named = "+" not in text and Path(text).is_file()
            found.append(parse_vkey(_octets_in(text).decode() if named else text))
        except (OSError, UnicodeError, NoteError) as error:
            raise UsageError(f"{option} {text[:120]}: {error}") from error
    return found


def show_head(reader: LogReader, output: OutputFormat) -> str:
    """Return the newest checkpoint, verbatim or as JSON. Raises LogError when there is none."""
    note = reader.newest_checkpoint()
    if note is None:
        if reader.format != FORMAT_1:
            raise LogError(f"{reader.path} has no checkpoint, because nothing was ever written to it")
        raise LogError(
            f"{reader.path} has no checkpoint, because it has format 1:"
            " `sekisho log migrate` gives it a registry"
        )
    if output is OutputFormat.TABLE:
        return note.removesuffix("\n")
    head = parse_checkpoint(parse_note(note.encode()))
    return as_json(
        HEAD, {"origin": head.origin, "size": head.size, "root": head.root.hex(), "checkpoint": note}
    )


def show_keys(reader: LogReader, output: OutputFormat) -> str:
    """Return every key that ever signed, with the entries of the registry between which it may."""
    rows: list[dict[str, object]] = []
    newest: dict[str, dict[str, object]] = {}  # a key that was retired may be added again
    for leaf in reader.leaves({KeyAdded.KIND, KeyRetired.KIND}):
        event = leaf.event
        if isinstance(event, KeyAdded):
            newest[event.vkey] = {"key": event.vkey, "from": leaf.idx, "until": None, "why": None}
            rows.append(newest[event.vkey])
        elif isinstance(event, KeyRetired) and event.vkey in newest:
            newest[event.vkey] |= {"until": leaf.idx, "why": event.why}
    return render(output, KEYS, "keys", ("key", "from", "until", "why"), rows)


def rotate(arguments: argparse.Namespace) -> str:
    """Make a new key in a new file, and retire the present one. Returns the new verifier key."""
    url = log_url(arguments.log)
    custody = custody_of(url)
    new_file = Path(arguments.new_key_file).expanduser().absolute()
    if new_file == custody.key_file:
        raise UsageError(
            "the new key needs a file of its own: the old one stays as it is, keep it or destroy it"
        )
    with Actor(url) as actor, actor.signed(SystemClock().now_us()) as act:
        registry = act.registry
        old, new = registry.vkey, load_or_create_key(new_file)
        added = verifier_key(registry.origin, new)
        if added == old:
            raise UsageError(f"{new_file} holds the key that signs already")
        act.append(KeyAdded(vkey=str(added)))
        registry.checkpoint()
        act.append(KeyRetired(vkey=str(old), why=arguments.why))
        registry.checkpoint(key=new)
    return str(added)
