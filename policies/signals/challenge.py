"""Recognises what a bot defence serves in place of a page: by its headers, and by its page.

Sources: Cloudflare (https://developers.cloudflare.com/cloudflare-challenges/, `cf-mitigated`), AWS WAF
(https://docs.aws.amazon.com/waf/latest/developerguide/waf-captcha-and-challenge-how-it-works.html,
`x-amzn-waf-action`), Vercel (`x-vercel-mitigated`); the other vendors' pages as they are seen.
The script of a defence stands on the ordinary pages of its customers too, so a page counts only by words that
stand on the challenge itself, and only when there is hardly anything else to read. The name of a CAPTCHA
alone is none: forms of ordinary pages carry one.
Decides nothing; pure; linear; never raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.signals.page_markers import has_few_links, is_markup
from policies.signals.page_markup import read_within_budget
from policies.signals.page_opened import NO_MARKERS, Page
from policies.signals.page_text import declared_charset, decode_narrow
from policies.signals.page_weight import LITTLE_TEXT, weigh

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.facts import ResponseFacts

Headers = tuple[tuple[str, str], ...]

# Header and the beginnings of its value (lower case) that say, whatever the status: this is not the page.
_NAMED = {
    "cf-mitigated": ("challenge",),
    "x-amzn-waf-action": ("challenge", "captcha"),
    "x-vercel-mitigated": ("challenge", "deny"),
}
# Headers that name a defence without saying that it struck: they count together with a refusing status.
_DEFENCES = ("x-datadome", "x-kpsdk-ct", "x-kpsdk-r", "x-kpsdk-v")
_REFUSING = frozenset((403, 405, 429))
# Cookies of defences say that one stands before the site, not that it struck; they explain a refusal.
_DEFENCE_COOKIES = ("datadome=", "_abck=", "_px3=", "_pxhd=", "incap_ses_", "visid_incap_", "aws-waf-token=")

LARGEST_CHALLENGE = 256 * 1024
"""Octets beyond which a page is no challenge: the largest that are known inline some 40 kB of script."""

CHALLENGE_PAGES: tuple[tuple[str, tuple[bytes, ...]], ...] = (
    ("Cloudflare", (b"_cf_chl_opt", b"challenge-platform")),
    ("Cloudflare", (b"<title>just a moment...</title>", b"challenge-platform")),
    ("Cloudflare", (b"cf-browser-verification", b"cf_chl")),
    ("DataDome", (b"captcha-delivery.com/",)),
    ("HUMAN (PerimeterX)", (b"px-captcha", b"_pxappid")),
    ("HUMAN (PerimeterX)", (b"px-captcha", b"perimeterx")),
    ("Akamai", (b"access denied", b"errors.edgesuite.net")),
    ("Akamai", (b"access denied", b"reference&#32;&#35;18&#46;")),
    ("Akamai", (b"access denied", b"reference #18.")),
    ("Akamai", (b"sec-if-cpt-container",)),
    ("Imperva", (b"_incapsula_resource", b"incapsula incident id")),
    ("Imperva", (b"_incapsula_resource", b"main-iframe")),
    ("Kasada", (b"/ips.js?", b"kpsdk")),
    ("AWS WAF", (b"token.awswaf.com/", b"awswafintegration")),
    ("AWS WAF", (b"awswafcookiedomainlist", b"challenge.js")),
    ("Anubis", (b"anubis_challenge",)),
    ("Sucuri", (b"sucuri_cloudproxy_js",)),
    ("DDoS-Guard", (b"ddos-guard", b"/.well-known/ddos-guard/js-challenge")),
)
# For a first look: a part of at least one word of each, few and long, since each is one search of the page.
STEMS = (
    b"challenge",
    b"captcha",
    b"cf_chl",
    b"access denied",
    b"sec-if-cpt-container",
    b"_incapsula_resource",
    b"/ips.js?",
    b"awswaf",
    b"sucuri_cloudproxy_js",
)
# One octet is found at once, and text without scripts has neither of these.
_SELDOM = (b"_", b"?")
_PLAIN_STEMS = tuple(stem for stem in STEMS if not any(octet in stem for octet in _SELDOM))
_STEMS_WITH = tuple((octet, tuple(stem for stem in STEMS if octet in stem)) for octet in _SELDOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A challenge: who served it, and where that stands: `header: value` or words of the page."""

    vendor: str
    text: str
    in_header: bool


def named_by_header(status: int, headers: Iterable[tuple[str, str]]) -> tuple[Challenge, ...]:
    """Return the challenges that headers name (names in lower case), in their order."""
    found: list[Challenge] = []
    for name, value in headers:
        if name in _NAMED:
            if value.strip().lower().startswith(_NAMED[name]):
                found.append(Challenge(vendor=name, text=f"{name}: {value}", in_header=True))
        elif name in _DEFENCES and status in _REFUSING:
            found.append(Challenge(vendor=name, text=f"{name}: {value}", in_header=True))
    return tuple(found)


def defence_cookie(value: str) -> str:
    """Return the name of a defence's cookie that a Set-Cookie value sets, or an empty text."""
    if value.lstrip().lower().startswith(_DEFENCE_COOKIES):
        return value.partition("=")[0].strip()
    return ""


def _may_be_challenge(lowered: bytes) -> bool:
    """Tell cheaply whether a page may be a challenge: few links, which is asked first, and a stem of one."""
    if not has_few_links(lowered):
        return False
    for stem in _PLAIN_STEMS:
        if stem in lowered:
            return True
    for octet, stems in _STEMS_WITH:
        if octet in lowered:
            for stem in stems:
                if stem in lowered:
                    return True
    return False


def named_by_page(response: ResponseFacts) -> Challenge | None:
    """Return the challenge that stands in place of a page; the body must be decoded. Cheap for full pages."""
    body = response.body
    # Links in lower case are asked for before anything is made lower case: a full page ends here.
    if not body or len(body) > LARGEST_CHALLENGE or not has_few_links(body):
        return None
    lowered = body.lower()
    if not _may_be_challenge(lowered) or not is_markup(response.media_type, body):
        return None
    return _named_by(body, lowered, declared_charset(response.header("content-type")))


def challenge_of_page(body: bytes) -> str:
    """Return the vendor of the challenge that a small document of HTML is, or an empty text."""
    lowered = body[: LARGEST_CHALLENGE + 1].lower()
    if len(lowered) > LARGEST_CHALLENGE or not _may_be_challenge(lowered):
        return ""
    found = _named_by(body, lowered, "")
    return found.vendor if found else ""


def _named_by(body: bytes, lowered: bytes, charset: str) -> Challenge | None:
    """Return the challenge whose words a page holds beside hardly any text."""
    for vendor, words in CHALLENGE_PAGES:
        if not all(word in lowered for word in words):
            continue
        text = decode_narrow(body, charset)
        tags, unread_from = read_within_budget(text)
        page = Page(text=text, tags=tags, unread_from=unread_from, markers=NO_MARKERS)
        if weigh(page) >= LITTLE_TEXT:
            return None
        return Challenge(vendor=vendor, text=" ".join(word.decode() for word in words), in_header=False)
    return None
