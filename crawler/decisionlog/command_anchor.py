"""`sekisho log anchor`: have the newest checkpoint attested by timestamp authorities and witnesses."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from blocklists.errors import ExitCode, UsageError
from crawler.decisionlog import anchors, schema
from crawler.decisionlog.command_keys import witness_keys
from crawler.decisionlog.errors import LogError, UnverifiableError
from crawler.decisionlog.export import rfc3339
from crawler.decisionlog.location import log_url
from crawler.decisionlog.notes import parse_checkpoint
from crawler.decisionlog.reader import LogReader
from crawler.decisionlog.timestamps import load_roots
from policies.console import printable

if TYPE_CHECKING:
    import argparse

    from crawler.decisionlog.notes import Note


def anchor(arguments: argparse.Namespace) -> int:
    """Ask each authority and witness; return 0, or 75 when one of them has to be asked again.

    6 when a witness signs with what cannot be verified here: it is not asked, and the others are.
    """
    if not arguments.tsa and not arguments.witness:
        raise UsageError("name an authority with --tsa URL, or a witness with --witness URL VKEY")
    if arguments.tsa and not arguments.tsa_roots:
        raise UsageError("--tsa needs --tsa-roots FILE: what is not checked against a root proves nothing")
    roots = load_roots(Path(arguments.tsa_roots)) if arguments.tsa else []
    code = ExitCode.DONE
    with LogReader.open(log_url(arguments.log)) as reader:
        note = anchors.newest_note(reader)
        size = parse_checkpoint(note).size
        column = schema.checkpoint.c
        made_us = reader.rows(select(column.ts_us).where(column.size == size))[0].ts_us
        asked = [
            (url, partial(anchors.ask_authority, url, note, roots, made_us=made_us)) for url in arguments.tsa
        ]
        asked += [(url, _asking(reader, note, url, text)) for url, text in arguments.witness]
        for name, ask in asked:
            try:
                attested = ask()
                anchors.keep(reader.path, attested)
            except LogError as error:
                print(f"sekisho: {printable(str(error))}", file=sys.stderr)
                if not isinstance(error, UnverifiableError):
                    code = ExitCode.TRY_LATER
                elif code is ExitCode.DONE:
                    code = ExitCode.UNVERIFIABLE
                continue
            print(
                f"checkpoint of size {size:,}: attested by {printable(name)} at {rfc3339(attested.time_us)}"
            )
    return code


def _asking(reader: LogReader, note: Note, url: str, text: str) -> partial[anchors.Attested]:
    """Return the question to a witness. Raises UsageError for a key that is none of a witness."""
    (key,) = witness_keys([text], option="--witness")
    old = min(anchors.last_cosigned(reader, key), parse_checkpoint(note).size)
    leaves = [leaf.hash for leaf in reader.leaves()]
    return partial(anchors.ask_witness, url, key, note, leaves, old_size=old)
