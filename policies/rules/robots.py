"""Rule `robots`: whether the robots.txt of its origin lets a request go.

Implements RFC 9309 (https://www.rfc-editor.org/rfc/rfc9309) sections 2.2.2 and 2.3.1 as a verdict: what
cannot be read is not allowed, a file of another origin says nothing about this one, and a second reader of
the same octets can refuse what ours allows, never the other way round.
The parsed file is kept in `RobotsReadings`, made once for each `RobotsFile`; the same deciding line gives
the same `Verdict` object, so that callers may key on its identity.
Pure: it reads no clock and no network, and it parses nothing but the octets in the facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from policies.facts import RobotsAccess
from policies.precedence import Row
from policies.signals.robots import parse_robots
from policies.signals.robots_second import NAME as SECOND_READER
from policies.signals.robots_second import Opinion, SecondReader
from policies.vocabulary import Action, Evidence, Origin, Reason, RequestKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from policies.facts import RequestFacts, RobotsFile
    from policies.rules.judged_rows import Intent
    from policies.signals.robots import RobotsRules
    from policies.signals.robots_agent import CrawlDelay, RobotsAnswer

RULE = "robots"

_Made = TypeVar("_Made")

_ITSELF = Verdict(
    rule=RULE,
    action=Action.FETCH,
    reason=Reason.NOT_APPLICABLE,
    evidence=(
        Evidence(source="RFC 9309 section 2.2.2", note="robots.txt itself is always allowed to be asked for"),
    ),
)
_NOT_ASKED = Opinion(refuses=False)


def _not_obtained(words: str) -> Verdict:
    return Verdict(
        rule=RULE,
        action=Action.SKIP,
        reason=Reason.ROBOTS_UNREACHABLE,
        evidence=(Evidence(source="robots.txt", note=words),),
    )


_NO_FILE = _not_obtained("no robots.txt was obtained for this origin: complete disallow")
_NO_ORIGIN = _not_obtained("the URL has no http or https origin whose robots.txt could be asked")


class RobotsReadings:
    """One `RobotsFile` with its rules parsed, its second reader, and the verdicts made so far.

    `rules` holds nothing unless `file.access` is RULES: a body that does not govern is not read.
    """

    __slots__ = ("_kept", "_origin", "_parts", "_second", "_verdicts", "_whole_file", "file", "rules")

    def __init__(self, file: RobotsFile, rules: RobotsRules, second: SecondReader) -> None:
        """Use `read_rules`, which takes the rules and the second reader from the file."""
        self.file = file
        self.rules = rules
        self._second = second
        self._verdicts: dict[tuple[int, bool, str], tuple[RobotsAnswer, Verdict]] = {}
        self._parts: dict[tuple[str, float], Verdict] = {}
        self._kept: dict[Hashable, object] = {}
        self._whole_file: Verdict | None = None
        self._origin: Origin | None = None

    def renewed(self, file: RobotsFile) -> RobotsReadings:
        """Return readings of a refetched file; what was parsed is used again when the octets are the same."""
        if file.access is self.file.access and file.body == self.file.body:
            return RobotsReadings(file, self.rules, self._second)
        return read_rules(file)

    def is_of(self, origin: Origin) -> bool:
        """Return whether the file is that of an origin: same scheme, host and port."""
        if self._origin is not None and self._origin == origin:
            return True
        if self.file.url != f"{origin}/robots.txt":
            return False
        self._origin = origin
        return True

    def crawl_delay(self, token: str) -> CrawlDelay | None:
        """Return the Crawl-delay that holds for a token, or None."""
        return self.rules.for_agent(token).crawl_delay

    def evidence(
        self,
        *,
        line: int | None = None,
        text: str = "",
        group: str = "",
        note: str = "",
        reader: str = "sekisho",
    ) -> Evidence:
        """Return evidence that points into this file."""
        file = self.file
        notes = [note] if note else []
        if file.final_url != file.url:
            notes.append(f"obtained from {file.final_url[:300]}")
        if file.access is RobotsAccess.RULES and self.rules.truncated:
            notes.append("the file is longer than what was read")
        if file.problem:
            notes.append(file.problem)
        return Evidence(
            source=file.url,
            line=line,
            text=text,
            sha256=file.sha256 if file.access is RobotsAccess.RULES else None,
            fetched_at=file.fetched_at,
            group=group,
            reader=reader,
            note="; ".join(notes),
        )

    def judge(self, token: str, url: str, intent: Intent | None = None) -> Verdict:
        """Return the verdict on a URL of the file's origin; `intent` says how a refused file is read."""
        if self.file.access is RobotsAccess.DENIED and _reads_denied_as_absent(intent):
            return self.kept((RULE, "denied"), self._lifted_denial)
        whole = self._judge_access()
        if whole is not None:
            return whole
        answer = self.rules.judge(token, url)
        # Only what we allow is worth a second opinion: it can refuse, and never allow.
        opinion = self._second.ask(token, url) if answer.allowed else _NOT_ASKED
        key = (id(answer), opinion.refuses, opinion.note)
        known = self._verdicts.get(key)
        if known is not None:
            return known[1]
        made = self._verdict_of(answer, opinion)
        # The answer is kept beside the verdict, so that no other object can get its identity.
        self._verdicts[key] = (answer, made)
        return made

    def remembered(self, token: str, cap: float) -> Verdict | None:
        """Return the crawl_delay verdict made before for a token and a cap, or None."""
        return self._parts.get((token, cap))

    def remember(self, token: str, cap: float, verdict: Verdict) -> Verdict:
        """Keep a crawl_delay verdict, and return it."""
        self._parts[token, cap] = verdict
        return verdict

    def kept(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """Return what was made for a key before, or make it now: readings and verdicts of other rules.

        A key begins with the name of the rule that owns it, and always stands for one type.
        """
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
        return cast("_Made", found)

    def _judge_access(self) -> Verdict | None:
        """Return the verdict that holds for every URL of the origin, or None when the rules decide."""
        access = self.file.access
        if access is RobotsAccess.RULES and not self.rules.problem:
            return None
        if self._whole_file is None:
            self._whole_file = self._verdict_on_access(access)
        return self._whole_file

    def _verdict_on_access(self, access: RobotsAccess) -> Verdict:
        status = self.file.status
        if access is RobotsAccess.UNAVAILABLE:
            note = f"HTTP {status}: there are no rules (RFC 9309 section 2.3.1.3)"
            return Verdict(
                rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=(self.evidence(note=note),)
            )
        if access is RobotsAccess.DENIED:
            reason, note = (
                Reason.ROBOTS_DENIED,
                "our policy reads a refused robots.txt as a refusal of the site",
            )
        else:
            reason = Reason.ROBOTS_UNREACHABLE
            note = self.rules.problem or "unreachable: complete disallow (RFC 9309 section 2.3.1.4)"
        return Verdict(rule=RULE, action=Action.SKIP, reason=reason, evidence=(self.evidence(note=note),))

    def _lifted_denial(self) -> Verdict:
        note = (
            f"HTTP {self.file.status}: the operator reads it as no rules (RFC 9309 section 2.3.1.3); "
            "signals.honour_denied_robots is off in the agent file"
        )
        return Verdict(
            rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=(self.evidence(note=note),)
        )

    def _verdict_of(self, answer: RobotsAnswer, opinion: Opinion) -> Verdict:
        note = f"{answer.explanation}; {opinion.note}" if opinion.note else answer.explanation
        evidence: tuple[Evidence, ...] = (
            self.evidence(line=answer.line, text=answer.text, group=answer.group, note=note),
        )
        if opinion.refuses:
            theirs = self.evidence(reader=SECOND_READER, note="reads the same octets as forbidding this URL")
            evidence = (*evidence, theirs)
        if answer.allowed and not opinion.refuses:
            return Verdict(rule=RULE, action=Action.FETCH, reason=Reason.ALLOWED, evidence=evidence)
        return Verdict(rule=RULE, action=Action.SKIP, reason=Reason.ROBOTS_DISALLOW, evidence=evidence)


def read_rules(file: RobotsFile) -> RobotsReadings:
    """Return the readings of a file; its body is parsed only where it governs."""
    rules = parse_robots(file.body if file.access is RobotsAccess.RULES else b"")
    return RobotsReadings(file, rules, SecondReader(rules.octets))


def leaves_open(file: RobotsFile, intent: Intent | None) -> bool:
    """Whether robots.txt leaves anything of its origin to be asked for: it has rules, or there are none."""
    return file.access in {RobotsAccess.RULES, RobotsAccess.UNAVAILABLE} or (
        file.access is RobotsAccess.DENIED and _reads_denied_as_absent(intent)
    )


def _reads_denied_as_absent(intent: Intent | None) -> bool:
    """Whether the operator's policy lifts row 4 of the precedence table; without an intent nothing is."""
    return intent is not None and not intent.effect(Row.ROBOTS_DENIED).denies


def judge_robots(
    request: RequestFacts,
    robots: RobotsFile | None,
    readings: RobotsReadings | None,
    token: str,
    intent: Intent | None = None,
) -> Verdict:
    """Return whether robots.txt lets a request go.

    `intent` is asked for one thing only: whether a robots.txt that was refused (401, 403) refuses the origin.
    `readings` are those of `robots`; others, or none, are made anew. Without a file of the request's own
    origin nothing may go, except a request for `/robots.txt` itself.
    """
    if request.origin is None:
        return _NO_ORIGIN
    if request.kind is RequestKind.ROBOTS and request.url == f"{request.origin}/robots.txt":
        return _ITSELF
    if robots is None:
        return _NO_FILE
    if readings is None or readings.file is not robots:
        readings = read_rules(robots)
    if not readings.is_of(request.origin):
        return _not_obtained(f"{robots.url[:300]} is the robots.txt of another origin than {request.origin}")
    return readings.judge(token, request.url, intent)
