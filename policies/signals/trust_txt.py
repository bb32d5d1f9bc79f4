"""trust.txt: octets in, what the publisher says about training on its content out.

Implements the `datatrainingallowed` attribute of trust.txt (https://journallist.net): `name=value` lines with
`#` comments, the attribute once, its value `yes` or `no`. A repetition makes the statement invalid, and then
it is unknown; whether a `no` was among the repeated values is kept, because policy may read it as a refusal.
Our own reading: name and value without regard to case, blanks around them ignored. Never raises.
"""

from __future__ import annotations

from dataclasses import dataclass

from policies.signals.robots_octets import cut_to_limit, readable_octets, shown

_ATTRIBUTE = b"datatrainingallowed"
_VALUES = {b"yes": True, b"no": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustTxt:
    """A read trust.txt. `allowed` is None when it is not stated or the statement is invalid.

    `refused` says that a `no` was found, valid or not; `line` (from 1) and `text` are those of the first
    `no`, else of the first statement; `problem` says in words what is invalid or why there is no statement.
    """

    allowed: bool | None
    refused: bool
    line: int | None = None
    text: str = ""
    problem: str = ""


_SILENT = TrustTxt(allowed=None, refused=False, problem="no datatrainingallowed attribute")


def parse_trust_txt(body: bytes) -> TrustTxt:
    """Return what a trust.txt says about training, whatever its octets are."""
    octets, problem = readable_octets(cut_to_limit(body)[0])
    if problem:
        return TrustTxt(allowed=None, refused=False, problem=problem)
    if _ATTRIBUTE not in octets.lower():
        return _SILENT
    found: list[tuple[bool | None, int, str]] = []
    for number, raw in enumerate(octets.splitlines(), 1):
        name, equals, value = raw.partition(b"#")[0].partition(b"=")
        if equals and name.strip().lower() == _ATTRIBUTE:
            found.append((_VALUES.get(value.strip().lower()), number, shown(raw)))
    if not found:
        return _SILENT
    refusals = [one for one in found if one[0] is False]
    stated, line, text = (refusals or found)[0]
    if len(found) > 1:
        words = f"datatrainingallowed stands {len(found)} times: invalid"
        return TrustTxt(allowed=None, refused=bool(refusals), line=line, text=text, problem=words)
    words = "" if stated is not None else "the value is neither yes nor no"
    return TrustTxt(allowed=stated, refused=bool(refusals), line=line, text=text, problem=words)
