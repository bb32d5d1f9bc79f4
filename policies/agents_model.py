"""What an agent file may say: one declared crawler identity, as pydantic models (format `sekisho.agent/1`).

An agent file is TOML. Keys are closed: an unknown key is an error, because a promise that nobody keeps is
worse than none. Sources: product token and its place in the User-Agent, RFC 9309 section 2.2.1; form of the
User-Agent and the page it names, draft-illyes-webbotauth-cbcp; purpose, period, name, third-party crawlers,
Principle-Code item PC-1.1B-crawler; honoured measures a user agent, PC-1.2c.
Pure: reads no file, no clock. What depends on the day (a future effective date) is in `agents_findings`.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from policies.vocabulary import Purpose  # noqa: TC001 - pydantic reads it at run time

FORMAT = "sekisho.agent/1"
#: RFC 9309 section 2.2.1; upper bound ours.
TOKEN_PATTERN = r"^[A-Za-z_-]{1,64}$"  # noqa: S105 - a product token, not a secret
#: ISO 3166-1 alpha-2.
COUNTRY_PATTERN = r"^[A-Z]{2}$"
#: RFC 9309 section 2.4: a cached robots.txt should not be used for more than 24 hours.
ROBOTS_MAX_AGE_SECONDS = 86_400


class Honour(StrEnum):
    """What an agent declares to honour; each item of this closed vocabulary is enforced by a rule.

    Items are added, never renamed or taken away, so that a file of an earlier version of Sekisho stays good:
    `FIRST_HONOURS` are those that every file has to name, the others are enforced whether named or not.
    `AI_AGENT_BLOCKS` alone can be switched off, and may then not be named.
    """

    ROBOTS_TXT = "robots-txt"
    CRAWL_DELAY = "crawl-delay"
    ACCESS_RESTRICTIONS = "access-restrictions"
    LOGIN_WALLS = "login-walls"
    PAYWALLS = "paywalls"
    LEGAL_BLOCKS = "legal-blocks"
    PIRACY_LISTS = "piracy-lists"
    RATE_AND_HOURS = "rate-and-hours"
    USAGE_PREFERENCES = "usage-preferences"
    CONTENT_SIGNALS = "content-signals"
    TDM_RESERVATIONS = "tdm-reservations"
    RSL_LICENCES = "rsl-licences"
    AI_TXT = "ai-txt"
    TRUST_TXT = "trust-txt"
    ROBOTS_METAS = "robots-metas"
    NOAI = "noai"
    ASSET_RIGHTS = "asset-rights"
    AI_AGENT_BLOCKS = "ai-agent-blocks"


FIRST_HONOURS = frozenset(
    (
        Honour.ROBOTS_TXT,
        Honour.CRAWL_DELAY,
        Honour.ACCESS_RESTRICTIONS,
        Honour.LOGIN_WALLS,
        Honour.PAYWALLS,
        Honour.LEGAL_BLOCKS,
        Honour.PIRACY_LISTS,
    )
)


def _clean(value: str, *, lines: bool) -> str:
    """Refuse what could change the meaning of a page or a log line: controls and direction overrides."""
    for character in value:
        if character == "\n" and lines:
            continue
        category = unicodedata.category(character)
        if (
            category in {"Cc", "Cs", "Zl", "Zp"}
            or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ):
            raise PydanticCustomError(
                "control_character",
                "holds the character {code}; use plain text on one line",
                {"code": f"U+{ord(character):04X}"},
            )
    if value != value.strip():
        raise PydanticCustomError("outer_space", "begins or ends with white space; remove it")
    return value


def _line(value: str) -> str:
    return _clean(value, lines=False)


def _text(value: str) -> str:
    return _clean(value, lines=True)


def _web_address(value: str) -> str:
    """Accept an absolute http(s) URL in ASCII with a host and without user information (RFC 3986)."""
    problem = ""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port  # .port raises ValueError when it is not a number
    except ValueError as error:
        raise PydanticCustomError("web_address", "is not a URL: {why}", {"why": str(error)}) from None
    if re.search(r"[^\x21-\x7e]|[<>\"`{}|\\^]", value):
        problem = (
            "holds white space or a character that a URL must encode; write host names as A-labels (xn--…)"
        )
    elif parts.scheme not in ("http", "https") or not host:
        problem = "is not an absolute http:// or https:// address"
    elif "@" in parts.netloc:
        problem = "holds user information before the host; remove it"
    if problem:
        raise PydanticCustomError("web_address", "{problem}", {"problem": problem})
    return value


_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def _email(value: str) -> str:
    if len(value) > 254 or not _EMAIL.fullmatch(value):  # noqa: PLR2004 - RFC 5321 section 4.5.3.1.3
        raise PydanticCustomError("email", "is not an e-mail address such as bot@your-domain.jp")
    return value


def _user_agent(value: str) -> str:
    if not re.fullmatch(r"[\x20-\x7e]+", value):
        raise PydanticCustomError(
            "user_agent",
            "must be printable ASCII on one line, because it is sent as an HTTP header as it stands",
        )
    return _line(value)


Line = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_line)]
Text = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_text)]
WebAddress = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_web_address)]
Email = Annotated[str, Field(min_length=3, max_length=254), AfterValidator(_email)]
Day = Annotated[date, Strict()]
Count = Annotated[int, Strict()]


class Part(BaseModel):
    """A table of an agent file: frozen, closed, and never silently converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Bilingual(Part):
    """One text in English and in Japanese; both, so that neither page has a hole."""

    en: Text
    ja: Text


class Operator(Part):
    """Who runs the agent. `country` is an ISO 3166-1 alpha-2 code."""

    name: Line
    name_ja: Line | None = None
    url: WebAddress
    country: Annotated[str, Field(pattern=COUNTRY_PATTERN)] | None = None


class Contact(Part):
    """Where a site owner reaches a person: `info_page` describes the agent; e-mail or form, at least one."""

    info_page: WebAddress
    email: Email | None = None
    url: WebAddress | None = None

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("email", "") is None:
            raise PydanticCustomError(
                "contact", 'needs an e-mail address or a contact form: add email = "…" or url = "…"'
            )
        return value


class Period(Part):
    """When is collected: from `start` to `end` (both days included), or `ongoing = true`."""

    start: Day
    end: Day | None = None
    ongoing: Annotated[bool, Strict()] = False

    @field_validator("end")
    @classmethod
    def _in_order(cls, value: date | None, info: ValidationInfo) -> date | None:
        start = info.data.get("start")
        if value is not None and start is not None and value < start:
            raise PydanticCustomError(
                "period", "ends before it starts ({start})", {"start": start.isoformat()}
            )
        return value

    @field_validator("ongoing")
    @classmethod
    def _one_end(cls, value: bool, info: ValidationInfo) -> bool:
        if "end" in info.data and value == (info.data["end"] is not None):
            raise PydanticCustomError("period", "needs either an end date or ongoing = true, and not both")
        return value


class Robots(Part):
    """How long a robots.txt is used before it is read again, and the longest Crawl-delay that is waited for.

    Both in seconds. A longer Crawl-delay is not shortened: the origin's pages are skipped instead.
    """

    max_age_seconds: Annotated[Count, Field(ge=1, le=ROBOTS_MAX_AGE_SECONDS)] = ROBOTS_MAX_AGE_SECONDS
    max_crawl_delay_seconds: Annotated[Count, Field(ge=1, le=ROBOTS_MAX_AGE_SECONDS)] = 300


Switch = Annotated[bool, Strict()]


class SignalSwitches(Part):
    """Where the operator's reading of a site's signals departs from ours; left out: nowhere.

    `honour_…` stands for refusals that are our reading and not the specification's: `false` lifts them, and
    nothing else. `deny_…` reads what the specification calls no statement as a refusal. Which cells of the
    precedence table each of them moves is in `policies/precedence.py` (`SWITCHES`). `research_org` declares
    the operator a research organisation in the sense of Article 3 of Directive (EU) 2019/790: a TDM
    reservation does not bind its purpose `research`, and licences for education are open to it.
    """

    honour_denied_robots: Switch = True
    honour_peer_ai_blocks: Switch = True
    honour_ai_prohibitions: Switch = True
    honour_preferences_by_analogy: Switch = True
    honour_tdm_beyond_mining: Switch = True
    honour_unknown_licences: Switch = True
    honour_contradictory_trust_txt: Switch = True
    honour_paywalls_for_search: Switch = True
    honour_metering: Switch = True
    honour_page_directives_by_analogy: Switch = True
    honour_asset_rights_by_analogy: Switch = True
    deny_malformed_preferences: Switch = False
    deny_malformed_reservations: Switch = False
    research_org: Switch = False

    def values(self) -> dict[str, bool]:
        """Return every switch but `research_org` by its name."""
        return {name: bool(getattr(self, name)) for name in type(self).model_fields if name != "research_org"}

    def deviations(self) -> tuple[str, ...]:
        """Return the names of those that differ from our reading, in the order of the table."""
        fields = type(self).model_fields
        return tuple(name for name, field in fields.items() if getattr(self, name) is not field.default)


class ThirdPartyCrawler(Part):
    """A crawler of somebody else whose data the operator uses (PC-1.1B-crawler).

    `identifier` is its product token or data set id; `domains_index` addresses a list of what it visited.
    """

    name: Line
    identifier: Line
    operator: Line
    period: Period
    domains_index: WebAddress | None = None


class AgentPolicy(Part):
    """One declared agent. The User-Agent sent is `user_agent`, always; robots.txt is read for `token`.

    `version` counts from 1 and grows by one with every published change; `effective_from` is the first UTC
    day on which the crawler may act under this version.
    """

    schema_id: Annotated[Literal["sekisho.agent/1"], Field(alias="schema")]
    token: Annotated[str, Field(pattern=TOKEN_PATTERN)]
    version: Annotated[Count, Field(ge=1, le=999_999)]
    effective_from: Day
    user_agent: Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_user_agent)]
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1, json_schema_extra={"uniqueItems": True})]
    honours: Annotated[tuple[Honour, ...], Field(min_length=1, json_schema_extra={"uniqueItems": True})]
    operator: Operator
    contact: Contact
    collection: Period
    robots: Robots = Robots()
    signals: SignalSwitches = SignalSwitches()
    description: Bilingual | None = None
    effect_of_blocking: Bilingual | None = None
    third_party_crawlers: tuple[ThirdPartyCrawler, ...] = ()

    @field_validator("user_agent")
    @classmethod
    def _names_the_token(cls, value: str, info: ValidationInfo) -> str:
        """RFC 9309 section 2.2.1: the product token is part of the identification string."""
        token = info.data.get("token")
        if token and not re.search(rf"(?<![A-Za-z_-]){re.escape(token)}(?![A-Za-z_-])", value):
            raise PydanticCustomError(
                "user_agent",
                "does not contain the product token '{token}'; site owners block what they see",
                {"token": token},
            )
        return value

    @field_validator("purposes", "honours")
    @classmethod
    def _once_each(cls, value: tuple[StrEnum, ...]) -> tuple[StrEnum, ...]:
        for index, item in enumerate(value):
            if item in value[:index]:
                raise PydanticCustomError("duplicate", "names '{item}' twice", {"item": item.value})
        return value
