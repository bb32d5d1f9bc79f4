"""Which family a refusal belongs to: robots, rights, paywalls, access, piracy, the rest.

Closed: a test holds that every reason code of the vocabulary either passes, or is in exactly one family, or
is named as `other`. Pure data; imports the vocabulary only.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from policies.vocabulary import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


class Family(StrEnum):
    """What kind of instruction or protection led to a refusal."""

    ROBOTS = "robots"
    RIGHTS = "rights"
    PAYWALL = "paywall"
    ACCESS = "access"
    PIRACY = "piracy"
    OTHER = "other"


FAMILIES: Mapping[Family, tuple[Reason, ...]] = MappingProxyType(
    {
        Family.ROBOTS: (
            Reason.ROBOTS_DISALLOW,
            Reason.ROBOTS_UNREACHABLE,
            Reason.ROBOTS_DENIED,
            Reason.CRAWL_DELAY_TOO_LONG,
        ),
        Family.RIGHTS: (
            Reason.AI_AGENTS_BLOCKED,
            Reason.AI_PROHIBITION,
            Reason.ROBOTS_NOINDEX,
            Reason.USAGE_PREFERENCE,
            Reason.CONTENT_SIGNAL,
            Reason.TDM_RESERVATION,
            Reason.LICENCE_TERMS,
            Reason.LICENCE_UNKNOWN,
            Reason.AI_TXT,
            Reason.TRUST_TXT,
            Reason.X_ROBOTS_TAG,
            Reason.ROBOTS_META,
            Reason.NOAI,
            Reason.NOFOLLOW,
            Reason.ASSET_RIGHTS,
        ),
        Family.PAYWALL: (
            Reason.HTTP_402,
            Reason.PAYWALL_STRUCTURED_DATA,
            Reason.PAYWALL_MARKUP,
            Reason.PAYWALL_METERED,
            Reason.PAYWALL_GATE,
        ),
        Family.ACCESS: (
            Reason.HTTP_401,
            Reason.HTTP_403,
            Reason.HTTP_407,
            Reason.LEGAL_BLOCK,
            Reason.LOGIN_REQUIRED,
            Reason.BOT_CHALLENGE,
            Reason.CRAWLER_CHARGED,
            Reason.CREDENTIALS_REQUESTED,
        ),
        Family.PIRACY: (Reason.PIRACY_LIST,),
    }
)
_OF: Mapping[str, Family] = MappingProxyType(
    {reason.value: family for family, reasons in FAMILIES.items() for reason in reasons}
)


def family_of(reason: str) -> Family:
    """Return the family of a reason code; OTHER for every code without one."""
    return _OF.get(reason, Family.OTHER)
