"""What sites said at a time of the past, from the evidence that the log holds of it.

For an origin and a moment it finds the newest asking for robots.txt and for each file of rights, follows its
redirects from record to record, and reads the octets that were stored as any crawl reads them. What the log
does not hold is told in words and never guessed: headers of answers (a challenge, a Retry-After) are not
recorded, and an asking that left no answer has none. Reads only; the time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from blocklists.host import split_origin
from crawler.rights_files import WELL_KNOWN, SiteRights, families_for
from crawler.site_fetch import REDIRECTS
from policies.basis import decode_basis
from policies.decide import SiteSide
from policies.facts import RobotsAccess
from policies.rules.ai_txt import AiTxtReading
from policies.rules.robots import leaves_open, read_rules
from policies.rules.rsl import Licences, read_licence
from policies.rules.trust_txt import TrustTxtReading
from policies.signals.licence_links import MOST_LICENCES, links_of_robots
from policies.signals.rights_fetch import Family, RightsAccess, RightsFile, not_asked, read_rights_answer
from policies.signals.robots_fetch import MAX_HOPS, read_robots_answer, with_last_good
from policies.signals.tdmrep import TdmReading
from policies.vocabulary import RequestKind

if TYPE_CHECKING:
    from crawler.decisionlog.reader import LogReader
    from policies.facts import RobotsFile
    from policies.rules.judged_rows import Intent
    from policies.signals.licence_links import LicenceLink
    from policies.vocabulary import Origin

_ASKED = """
SELECT segment, idx, ts_us, run FROM decisions
WHERE stage = 'request' AND kind = ? AND host = ? AND url = ? AND ts_us <= ? AND (run = ? OR ? = '')
ORDER BY ts_us DESC LIMIT ?
"""
_HOP = """
SELECT segment, idx FROM decisions
WHERE segment = ? AND idx > ? AND stage = 'request' AND kind = ? AND url = ? AND parent_url = ?
ORDER BY idx LIMIT 1
"""
_ANSWER = """
SELECT stage, verdict, reason, status, error, ts_us, body_sha256, basis_sha256 FROM decisions
WHERE segment = ? AND ref_idx = ? AND stage IN ('outcome', 'response')
"""
NOT_ON_RECORD = "the log holds no asking for it up to this time"
_TO = "redirects to "
# Earlier askings of one address that are looked at for a copy that still served.
_EARLIER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One document of the time: where it was asked for, when (UTC, microseconds), and what came of it.

    `record` is segment and index of the decision to ask, "" when there was none; `sha256` is of its octets.
    """

    what: str
    url: str
    record: str = ""
    read_us: int | None = None
    status: int | None = None
    sha256: str | None = None
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What an asking came to, at the end of its redirects, as `site_fetch.Answer`, from records."""

    final_url: str
    status: int | None
    body: bytes
    fetched_at: int
    hops: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What an origin said: None for `side` when not even robots.txt is on record; `sources` says why."""

    side: SiteSide | None
    sources: tuple[Source, ...]


class RecordedSites:
    """See the module. `run` narrows to what one run had read, since runs share no copies; "" takes all."""

    def __init__(self, reader: LogReader, intent: Intent) -> None:
        self._reader = reader
        self._intent = intent

    def at(self, origin: Origin, at_us: int, run: str = "") -> Recorded:
        """Return what an origin said at a moment, as far as the log shows it."""
        robots, source = self._robots(origin, at_us, run)
        if robots is None:
            return Recorded(side=None, sources=(source,))
        readings = read_rules(robots)
        if not leaves_open(robots, self._intent):
            return Recorded(side=SiteSide(readings=readings, files=None), sources=(source,))
        sources = [source]
        families = families_for(self._intent)
        found: dict[Family, RightsFile] = {}
        for family in (one for one in WELL_KNOWN if one in families):
            file, its = self._well_known(origin, family, at_us, run)
            sources.append(its)
            if file is not None:
                found[family] = file
        links = links_of_robots(readings.rules)[:MOST_LICENCES] if Family.RSL in families else ()
        readings_of_licences = []
        for link in links:
            licence, its = self._licence(link, at_us, run)
            sources.append(its)
            readings_of_licences.append(read_licence(link, licence, page_url=robots.url))
        tdm, ai, trust = (found.get(family) for family in (Family.TDMREP, Family.AI_TXT, Family.TRUST_TXT))
        files = SiteRights(
            origin=origin,
            tdmrep=TdmReading(tdm) if tdm else None,
            ai_txt=AiTxtReading(ai) if ai else None,
            trust_txt=TrustTxtReading(trust) if trust else None,
            licences=Licences(readings_of_licences),
            expires_at=0,
        )
        return Recorded(side=SiteSide(readings=readings, files=files), sources=tuple(sources))

    def _askings(
        self, kind: RequestKind, url: str, at_us: int, run: str, most: int = 1
    ) -> list[tuple[str, int, int, str]]:
        """Return the newest askings for a URL: segment, index, time and run of each."""
        host = _host_of(url)
        rows = self._reader.query(_ASKED, (kind.value, host, url, at_us, run, run, most))
        return [(str(segment), _int(idx), _int(ts), str(its)) for segment, idx, ts, its in rows]

    def _robots(self, origin: Origin, at_us: int, run: str) -> tuple[RobotsFile | None, Source]:
        """Return the robots.txt that held: the newest, or the last good one of the same run behind it."""
        url = f"{origin}/robots.txt"
        askings = self._askings(RequestKind.ROBOTS, url, at_us, run, _EARLIER)
        newest: RobotsFile | None = None
        record = ""
        for segment, idx, _, its in askings:
            if newest is not None and (newest.access is not RobotsAccess.UNREACHABLE or its != askings[0][3]):
                break
            answer = self._answer(RequestKind.ROBOTS, segment, idx, url)
            file = read_robots_answer(
                url=url,
                final_url=answer.final_url,
                status=answer.status,
                headers=(),
                body=answer.body,
                fetched_at=answer.fetched_at,
                hops=answer.hops,
                error=answer.error,
            )
            newest = file if newest is None else with_last_good(newest, file, at_us)
            record = record or f"{segment}#{idx}"
        if newest is None:
            return None, Source(what="robots.txt", url=url, words=NOT_ON_RECORD)
        source = Source(
            what="robots.txt",
            url=url,
            record=record,
            read_us=newest.fetched_at,
            status=newest.status,
            sha256=newest.sha256 if newest.access is RobotsAccess.RULES else None,
            words=newest.problem or newest.access.value,
        )
        return newest, source

    def _well_known(
        self, origin: Origin, family: Family, at_us: int, run: str
    ) -> tuple[RightsFile | None, Source]:
        """Return a family's file: the first of its places where there was one."""
        kept: tuple[RightsFile | None, Source] | None = None
        for path in WELL_KNOWN[family]:
            file, source = self._rights_file(family, f"{origin}{path}", at_us, run)
            if file is not None and file.access is not RightsAccess.ABSENT:
                return file, source
            if kept is None or kept[0] is None:
                kept = (file, source)
        return kept if kept is not None else (None, Source(what=family.value, url=str(origin)))

    def _licence(self, link: LicenceLink, at_us: int, run: str) -> tuple[RightsFile | None, Source]:
        if not link.url:
            return None, Source(what=Family.RSL.value, url=link.text, words=link.problem)
        file, source = self._rights_file(Family.RSL, link.url, at_us, run)
        if file is None:
            file = not_asked(Family.RSL, link.url, NOT_ON_RECORD, now_us=at_us, expires_at=at_us)
        return file, source

    def _rights_file(
        self, family: Family, url: str, at_us: int, run: str
    ) -> tuple[RightsFile | None, Source]:
        askings = self._askings(RequestKind.SITE_FILE, url, at_us, run)
        if not askings:
            return None, Source(what=family.value, url=url, words=NOT_ON_RECORD)
        segment, idx, *_ = askings[0]
        answer = self._answer(RequestKind.SITE_FILE, segment, idx, url)
        file = read_rights_answer(
            family=family,
            url=url,
            final_url=answer.final_url,
            status=answer.status,
            headers=(),
            body=answer.body,
            fetched_at=answer.fetched_at,
            hops=answer.hops,
            error=answer.error,
        )
        source = Source(
            what=family.value,
            url=url,
            record=f"{segment}#{idx}",
            read_us=file.fetched_at,
            status=file.status,
            sha256=file.sha256 if file.access is RightsAccess.OBTAINED else None,
            words=file.problem or file.access.value,
        )
        return file, source

    def _answer(self, kind: RequestKind, segment: str, idx: int, url: str) -> _Answer:
        """Follow an asking through its redirects, from record to record."""
        answer = self._one_answer(segment, idx, url)
        hops = 0
        while answer.status in REDIRECTS and answer.error is None:
            hops += 1
            location = answer.body.decode("utf-8", "surrogateescape")
            if not location or hops > MAX_HOPS:
                break
            rows = self._reader.query(_HOP, (segment, idx, kind.value, location, url))
            if not rows:
                words = f"the redirect to {location[:200]} was not followed on record"
                return replace(answer, hops=hops, body=b"", error=words)
            idx, url = _int(rows[0][1]), location
            answer = self._one_answer(segment, idx, url)
        return replace(answer, hops=hops, body=b"" if answer.status in REDIRECTS else answer.body)

    def _one_answer(self, segment: str, idx: int, url: str) -> _Answer:
        """Return the answer of one request; a redirect's `body` is where it leads."""
        rows = {str(row[0]): row for row in self._reader.query(_ANSWER, (segment, idx))}
        outcome, response = rows.get("outcome"), rows.get("response")
        if response is None:
            error = "no answer is on record" if outcome is None or not outcome[4] else str(outcome[4])
            when = 0 if outcome is None else _int(outcome[5])
            return _Answer(final_url=url, status=None, body=b"", fetched_at=when, hops=0, error=error)
        _, _, _, status, _, ts_us, body_sha256, basis_sha256 = response
        code, when = _int(status), _int(ts_us)
        if code in REDIRECTS:
            body = urljoin(url, self._location(basis_sha256)).encode("utf-8", "surrogateescape")
            return _Answer(final_url=url, status=code, body=body, fetched_at=when, hops=0, error=None)
        document = self._reader.document(str(body_sha256)) if body_sha256 else None
        missing = None if document is not None else "its octets are not in the log"
        octets = document.body if document is not None else b""
        return _Answer(final_url=url, status=code, body=octets, fetched_at=when, hops=0, error=missing)

    def _location(self, basis_sha256: object) -> str:
        document = self._reader.document(str(basis_sha256)) if basis_sha256 else None
        for verdict in decode_basis(document.body).verdicts if document is not None else ():
            for evidence in verdict.evidence:
                if evidence.note.startswith(_TO):
                    return evidence.note.removeprefix(_TO)
        return ""


def _int(value: object) -> int:
    return value if isinstance(value, int) else int(str(value or 0))


def _host_of(url: str) -> str:
    parts = split_origin(url)
    return parts[1] if parts else ""
