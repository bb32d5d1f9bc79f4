"""The nouns of Sekisho, one word with one meaning: read this file first.

Decides nothing and imports nothing but the standard library.
Values are frozen; closed sets are enums; an unknown value is a programming error, never a permission.
A `Verdict` cannot be made without a reason, and what a reason means is in `policies/reasons.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """Why an agent collects (closed vocabulary; an agent may declare several)."""

    AI_TRAINING = "ai-training"
    AI_INPUT = "ai-input"
    SEARCH = "search"
    ARCHIVE = "archive"
    RESEARCH = "research"


class Stage(StrEnum):
    """When a record was made: about the run, before a request, after it ended, after its response."""

    RUN = "run"
    REQUEST = "request"
    OUTCOME = "outcome"
    RESPONSE = "response"


class Action(StrEnum):
    """What a verdict orders. Only FETCH and KEEP let anything pass."""

    FETCH = "fetch"
    KEEP = "keep"
    DEFER = "defer"
    SKIP = "skip"

    @property
    def passes(self) -> bool:
        """Whether the traveller may go on."""
        return self is _FETCH or self is _KEEP


# Asked sixty times a page, and an enum's members take long to be looked up in their class.
_FETCH, _KEEP = Action.FETCH, Action.KEEP


class RequestKind(StrEnum):
    """What a request is for.

    Only ROBOTS, SITE_FILE and LIST go without a robots verdict, by URL, never by flag. LIST is the address of
    a block list whose licence the operator accepted, on a host that its definition pins.
    SUBRESOURCE is a part that a page needed in order to be rendered: judged like a page, never handed on.
    """

    PAGE = "page"
    SUBRESOURCE = "subresource"
    ROBOTS = "robots"
    SITE_FILE = "site_file"
    LIST = "list"

    @property
    def is_content(self) -> bool:
        """Whether it is judged by all that a site says of its content."""
        return self is _PAGE or self is _SUBRESOURCE


_PAGE, _SUBRESOURCE = RequestKind.PAGE, RequestKind.SUBRESOURCE


class Reason(StrEnum):
    """Stable reason codes: added, never reused, never renamed. Sentences are in `policies/reasons.py`."""

    # passes
    ALLOWED = "allowed"
    NOT_APPLICABLE = "not_applicable"
    KEPT = "kept"
    # before a request
    ROBOTS_DISALLOW = "robots_disallow"
    ROBOTS_UNREACHABLE = "robots_unreachable"
    ROBOTS_DENIED = "robots_denied"
    CRAWL_DELAY_TOO_LONG = "crawl_delay_too_long"
    PIRACY_LIST = "piracy_list"
    POLICY_SCOPE = "policy_scope"
    UNPARSABLE_URL = "unparsable_url"
    URL_LENGTH = "url_length"
    OFFSITE = "offsite"
    DUPLICATE = "duplicate"
    DEPTH_LIMIT = "depth_limit"
    RATE_LIMITED = "rate_limited"
    VISIT_TIME = "visit_time"
    AI_AGENTS_BLOCKED = "ai_agents_blocked"
    AI_PROHIBITION = "ai_prohibition"
    ROBOTS_NOINDEX = "robots_noindex"
    REFUSED_BY_SPIDER = "refused_by_spider"
    NOFOLLOW = "nofollow"
    NO_PERMIT = "no_permit"
    LOG_UNAVAILABLE = "log_unavailable"
    UNGOVERNED = "ungoverned"
    RENDER_LIMIT = "render_limit"
    RENDER_FAILED = "render_failed"
    # reservations and preferences, wherever they stand
    USAGE_PREFERENCE = "usage_preference"
    CONTENT_SIGNAL = "content_signal"
    TDM_RESERVATION = "tdm_reservation"
    LICENCE_TERMS = "licence_terms"
    LICENCE_UNKNOWN = "licence_unknown"
    AI_TXT = "ai_txt"
    TRUST_TXT = "trust_txt"
    WAIVER_USED = "waiver_used"
    # after a response
    X_ROBOTS_TAG = "x_robots_tag"
    ROBOTS_META = "robots_meta"
    NOAI = "noai"
    ASSET_RIGHTS = "asset_rights"
    BOT_CHALLENGE = "bot_challenge"
    CRAWLER_CHARGED = "crawler_charged"
    CREDENTIALS_REQUESTED = "credentials_requested"
    HTTP_401 = "http_401"
    HTTP_402 = "http_402"
    HTTP_403 = "http_403"
    HTTP_407 = "http_407"
    LEGAL_BLOCK = "legal_block"
    HTTP_ERROR = "http_error"
    REDIRECT = "redirect"
    LOGIN_REQUIRED = "login_required"
    PAYWALL_STRUCTURED_DATA = "paywall_structured_data"
    PAYWALL_MARKUP = "paywall_markup"
    PAYWALL_METERED = "paywall_metered"
    PAYWALL_GATE = "paywall_gate"
    SITE_FILE = "site_file"
    WITHDRAWN = "withdrawn"
    JUDGED_ONLY = "judged_only"
    # outcomes
    RECEIVED = "received"
    NOT_SENT = "not_sent"
    ERROR_NETWORK = "error_network"
    ERROR_INTERNAL = "error_internal"
    # the run itself
    RUN_OPENED = "run_opened"
    RUN_CLOSED = "run_closed"
    GUARD_ARMED = "guard_armed"
    TRIPWIRE = "tripwire"
    # the block lists themselves
    LIST_FILE = "list_file"
    LIST_REFRESHED = "list_refreshed"
    LIST_UNCHANGED = "list_unchanged"
    LIST_HELD = "list_held"
    LIST_FAILED = "list_failed"
    LISTS_CHANGED = "lists_changed"
    LISTS_KEPT = "lists_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port: the scope of robots.txt (RFC 9309 section 2.3, RFC 6454).

    `host` is canonical (A-labels, lower case, no trailing dot, IPv6 without brackets).
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """Return the origin as a URL prefix; the port is written only when it is not the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = {"http": 80, "https": 443}.get(self.scheme)
        return f"{self.scheme}://{host}" if self.port == default else f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One list entry that names a host, with its authority: what a refusal of a listed domain cites."""

    source_id: str
    pattern: str
    match: str
    weight: str
    line: int
    text: str
    source_sha256: str
    source_url: str = ""
    authority: str = ""
    decision_ref: str = ""
    decision_date: str = ""
    fetched_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What decided: a place, the words found there, and the digest of the document that held them.

    `source` names the document (a URL, a list, `response status`, `agent policy`…); `line` counts from 1;
    `text` is the raw line, decoded with replacement and cut to 500 characters; `sha256` is the hex digest
    of the raw octets of the document; `fetched_at` is UTC in microseconds since the epoch; `group` is the
    deciding robots.txt group's user-agent as written; `reader` says which parser found it.
    """

    source: str
    line: int | None = None
    text: str = ""
    sha256: str | None = None
    fetched_at: int | None = None
    group: str = ""
    reader: str = "sekisho"
    note: str = ""
    citations: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A rule's answer. The first verdict that does not pass decides.

    `retry_at` (UTC, microseconds) belongs to DEFER only: when asking again makes sense. `others` are the
    reasons for which the rule refuses as well: whoever lifts the refusal must have an answer to each.
    """

    rule: str
    action: Action
    reason: Reason
    evidence: tuple[Evidence, ...] = ()
    retry_at: int | None = None
    others: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Every rule consulted for one request or response, in order.

    Raises ValueError when empty: a decision without a consulted rule does not exist.
    """

    verdicts: tuple[Verdict, ...]

    def __post_init__(self) -> None:
        if not self.verdicts:
            raise ValueError("an assessment needs at least one verdict")

    @property
    def deciding(self) -> Verdict:
        """The first verdict that does not pass; else the first that a waiver lifted; else the last.

        Of several that pass it is the last one with evidence, if any has some.
        """
        for verdict in self.verdicts:
            if not verdict.action.passes:
                return verdict
        for verdict in self.verdicts:
            if verdict.reason is Reason.WAIVER_USED:
                return verdict
        for verdict in reversed(self.verdicts):
            if verdict.evidence:
                return verdict
        return self.verdicts[-1]

    @property
    def passes(self) -> bool:
        """Whether every consulted rule let it pass."""
        return all(verdict.action.passes for verdict in self.verdicts)
