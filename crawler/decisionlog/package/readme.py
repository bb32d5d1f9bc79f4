"""The README.txt of a package: what it is and how to verify it, for a reader who has never heard of us."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crawler.decisionlog.package.layout import Encoding

if TYPE_CHECKING:
    from crawler.decisionlog.package.layout import Manifest

_TEXT = """\
Decisions of a web crawler: an export of its log
=================================================

Made {made} UTC from the log
    {origin}

It holds {records:,} decisions of {runs} in {segments}, with the evidence on which they rest.{pruned}
{urls}

A decision is made before every request: whether the page may be fetched, and by which rule. The software
lets no request leave before its decision is on disk. So every request has a decision here; not every
decision led to a request.


How to verify it
----------------

1. That no file was damaged on its way to you:

       sha256sum --quiet -c SHA256SUMS

2. That nothing was changed, removed or added since it was recorded, with the script beside this text. It has
   fewer than 200 lines, needs nothing but Python 3.11 and no network, and was written apart from the software
   that made this export. Read it first:

       python3 verify.py . VKEY FILE{standalone}

   VKEY is the public key of the crawler's operator. Take it from where the operator publishes it, not from
   this package: a key that comes with what it signs proves nothing. FILE is a checkpoint of this log that
   somebody else has kept: a regulator, a notary, you yourself. It is what shows that the log was not
   rewritten as a whole since then; nothing inside this package can.

3. The same with the software itself, which says more about what it finds:

       pip install {extra}
       sekisho log verify --export . --key VKEY --known-checkpoint FILE

The exit code is 0 when all is well, 4 when something was changed or is missing, and 6 when something could
not be verified here, for example because no checkpoint was given.


What is in it
-------------

    manifest.json        what belongs to this package: every file with its SHA-256, every segment with its
                         number of records and the root of its Merkle tree
    SHA256SUMS           the same for sha256sum, with the documents
    records/             one file a segment: the decisions in the order in which they were recorded
    urls/                the URLs of these decisions, each with the salt that its commitment needs; apart, so
                         that a URL can be erased later without touching the decisions
    segments.jsonl       the segments: of which run, opened and sealed when
    contexts.jsonl       agent, policy and block lists under which decisions were made
    heads.jsonl          the roots of the segments' trees at the sizes at which they were recorded
    sums/                numbers by host, as the seal of each segment commits to them
    documents/           evidence by its SHA-256: robots.txt files, policies, block lists, and the bases
                         (what each rule said, citing file and line); documents.jsonl lists them
    registry.jsonl       the tree in which every segment was opened before its first decision, and sealed
    checkpoints.jsonl    the signed heads of the registry; checkpoint is the newest of them
    anchors.jsonl        what others attested of these: time stamps, cosignatures
    verify.py            the independent verifier

Times are UTC in microseconds since 1970. Digests are SHA-256. `url_commit` in a record is
SHA-256("url" 0x00 salt URL){derived}.
A decision's `basis_sha256` names the document that says why it was made.
{query}"""

_STANDALONE = """

   The records of this package are Parquet files, which that script cannot read: it verifies all the rest and
   ends with 6. Ask for the package with --format jsonl to have everything verified independently."""

_QUERY = """

How to query it
---------------

       duckdb -c "SELECT reason, count(*) FROM 'records/*.parquet' WHERE verdict = 'skip' GROUP BY reason"
"""


def readme(manifest: Manifest) -> str:
    """Return the text."""
    parquet = manifest.encoding is Encoding.PARQUET
    runs = {part.run for part in manifest.segments}
    pruned = sum(part.pruned for part in manifest.segments)
    whole = " (all of the log)" if manifest.whole else " (a selection: the log has others)"
    return _TEXT.format(
        made=datetime.fromtimestamp(manifest.made_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        origin=manifest.origin or "(a log of format 1: without a name, a registry or signatures)",
        records=manifest.counts.records,
        runs=f"{len(runs)} run{'' if len(runs) == 1 else 's'}",
        segments=f"{len(manifest.segments)} segment{'' if len(manifest.segments) == 1 else 's'}{whole}",
        pruned=(
            f"\nThe decisions of {pruned} of these were removed under the log's retention rules."
            if pruned
            else ""
        ),
        urls=(
            "The URLs are in it, except those that were erased."
            if manifest.urls
            else "The URLs are not in it: who has one with its salt can show to which decision it belongs."
        ),
        standalone=_STANDALONE if parquet else "",
        extra="'sekisho[parquet]'" if parquet else "sekisho",
        derived=(
            ""
            if manifest.committed
            else ", computed from urls/ and not written down;\nit is written there where a URL was erased"
        ),
        query=_QUERY if parquet else "",
    )
