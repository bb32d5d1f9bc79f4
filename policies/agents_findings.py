"""What a valid agent file still says wrong: against the day, against this version, against good manners.

An error keeps the crawl from starting; a warning is shown by `sekisho check`. Pure: the day is an argument.
Sources: effective date and notice, Principle-Code PC-1.2c-5; form of the User-Agent and the page that it
names, draft-illyes-webbotauth-cbcp; placeholder domains, RFC 2606, RFC 6761, and for example.jp JPRS.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from policies.agents_model import FIRST_HONOURS, AgentPolicy, Honour

if TYPE_CHECKING:
    from datetime import date

_RESERVED_TLDS = ("example", "invalid", "test", "localhost", "local", "internal", "home.arpa")
_RESERVED_DOMAIN = re.compile(r"(^|\.)example\d?\.(com|net|org|edu|jp|[a-z]{2}\.jp)$")
_ADDRESS_IN_AGENT = re.compile(r"\+(https?://[^\s;,)]+)")


class Severity(StrEnum):
    """Whether a finding keeps the crawl from starting."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark on an agent: `field` is the dotted key in its file, `message` says what to do."""

    severity: Severity
    field: str
    message: str


def _is_placeholder(host: str) -> bool:
    """Whether a host cannot belong to an operator whom the public can reach; unclear means yes."""
    host = host.rstrip(".").lower()
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        pass
    if "." not in host:
        return True
    if any(host == tld or host.endswith("." + tld) for tld in _RESERVED_TLDS):
        return True
    return _RESERVED_DOMAIN.search(host) is not None


def address_in_user_agent(user_agent: str) -> str | None:
    """Return the first `+https://…` address in a User-Agent, or None."""
    found = _ADDRESS_IN_AGENT.search(user_agent)
    return found[1] if found else None


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def has_placeholder_contact(policy: AgentPolicy) -> bool:
    """Whether a place that should lead to the operator leads nowhere; such an agent may crawl loopback only.

    Looks at the contact's page, form and e-mail, the operator's site, and the address in the User-Agent.
    """
    contact = policy.contact
    addresses = [
        contact.info_page,
        contact.url,
        policy.operator.url,
        address_in_user_agent(policy.user_agent),
    ]
    hosts = [_host(address) for address in addresses if address is not None]
    if contact.email is not None:
        hosts.append(contact.email.rpartition("@")[2])
    return any(_is_placeholder(host) for host in hosts)


def _day_findings(policy: AgentPolicy, today: date) -> list[Finding]:
    found: list[Finding] = []
    if policy.effective_from > today:
        message = (
            f"version {policy.version} takes effect on {policy.effective_from}, and today is {today} (UTC); "
            f"until then keep it as agents/upcoming/{policy.token.lower()}.toml and crawl with the other one"
        )
        found.append(Finding(severity=Severity.ERROR, field="effective_from", message=message))
    if policy.collection.start > today:
        message = (
            f"the declared collection period begins on {policy.collection.start}, and today is {today} (UTC)"
        )
        found.append(Finding(severity=Severity.ERROR, field="collection.start", message=message))
    if policy.collection.end is not None and policy.collection.end < today:
        message = (
            f"the declared collection period ended on {policy.collection.end}: publish a new version with a "
            "later end, or stop crawling"
        )
        found.append(Finding(severity=Severity.ERROR, field="collection.end", message=message))
    return found


#: Switches without which blocks of AI agents are not honoured as a whole.
_BLOCK_SWITCHES = ("honour_peer_ai_blocks", "honour_ai_prohibitions")


def _honour_findings(policy: AgentPolicy) -> list[Finding]:
    """Require that all that is enforced is declared: the published policy is made from the file.

    What joined the vocabulary later is asked for by a warning, so that a file from before it still crawls.
    """
    off = [name for name in _BLOCK_SWITCHES if name in policy.signals.deviations()]
    missing = [honour for honour in Honour if honour not in policy.honours]
    if off:
        missing = [honour for honour in missing if honour is not Honour.AI_AGENT_BLOCKS]
    first = [honour.value for honour in missing if honour in FIRST_HONOURS]
    later = [honour.value for honour in missing if honour not in FIRST_HONOURS]
    found = []
    if first:
        message = f"does not name {', '.join(first)}, which this version of Sekisho always honours; add it"
        found.append(Finding(severity=Severity.ERROR, field="honours", message=message))
    if later:
        message = (
            f"does not name {', '.join(later)}, which this version of Sekisho honours as well; "
            "add it with the next version of the file, so that site owners read it"
        )
        found.append(Finding(severity=Severity.WARNING, field="honours", message=message))
    if off and Honour.AI_AGENT_BLOCKS in policy.honours:
        message = (
            f"names {Honour.AI_AGENT_BLOCKS.value}, and signals.{off[0]} = false says otherwise; take out one"
        )
        found.append(Finding(severity=Severity.ERROR, field="honours", message=message))
    return found


def _switch_findings(policy: AgentPolicy) -> list[Finding]:
    """Name each switch that departs from our reading: whoever sets one answers for it."""
    found = []
    for name in policy.signals.deviations():
        if name == "research_org":
            words = (
                "declares the operator a research organisation (Directive (EU) 2019/790, Article 3): keep at "
                "hand what shows it"
            )
        elif name.startswith("honour_"):
            words = "lifts refusals that Sekisho reads from a site's signals: be ready to say why"
        else:
            words = "refuses where a site's statement cannot be read"
        found.append(Finding(severity=Severity.WARNING, field=f"signals.{name}", message=words))
    return found


def _manner_findings(policy: AgentPolicy) -> list[Finding]:
    def warn(field: str, message: str) -> Finding:
        return Finding(severity=Severity.WARNING, field=field, message=message)

    found: list[Finding] = []
    if has_placeholder_contact(policy):
        found.append(
            warn("contact", "is a placeholder: only loopback addresses may be crawled until it is real")
        )
    address = address_in_user_agent(policy.user_agent)
    form = f"Mozilla/5.0 (compatible; {policy.token}/1.0; +{policy.contact.info_page})"
    if address is None:
        found.append(warn("user_agent", f"names no page about the agent; the usual form is {form}"))
    elif address != policy.contact.info_page:
        found.append(
            warn("user_agent", f"names {address}, but contact.info_page is {policy.contact.info_page}")
        )
    if policy.effect_of_blocking is None:
        found.append(
            warn("effect_of_blocking", "is missing: site owners ask what happens when they block the agent")
        )
    return found


def agent_findings(policy: AgentPolicy, today: date) -> tuple[Finding, ...]:
    """Return every finding on an agent, errors first; `today` is the UTC day of the run."""
    found = [
        *_day_findings(policy, today),
        *_honour_findings(policy),
        *_switch_findings(policy),
        *_manner_findings(policy),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity))
