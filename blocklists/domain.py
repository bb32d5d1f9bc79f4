"""The registrable domain of a host, under one pinned Public Suffix List.

Decides under which name hosts are counted together, and which names are too wide to be a list entry.
Implements the algorithm of https://publicsuffix.org/list/ through tldextract and the list that is bundled
with it: nothing is downloaded and nothing is cached on disk.
Both sections of the list count, ICANN and private: `a.github.io` and `b.github.io` are two sites under two
owners, so a disclosure that merged them would name the wrong party.
Must not import Scrapy; takes canonical hosts (`blocklists.host`).
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256

import idna
from tldextract import TLDExtract

from blocklists.errors import ListError
from blocklists.host import is_ip_address

_CACHED_HOSTS = 65_536


@cache
def _extractor() -> TLDExtract:
    return TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuffixRules:
    """The rules of the Public Suffix List as sets of A-label names, for questions by the million.

    `names` are suffixes themselves, every name one label below a member of `parents` is one, and `exceptions`
    are not.
    """

    names: frozenset[str]
    parents: frozenset[str]
    exceptions: frozenset[str]


@cache
def suffix_rules() -> SuffixRules:
    """Return both sections of the list in use. Raises ListError when the list is missing."""
    names: set[str] = set()
    parents: set[str] = set()
    exceptions: set[str] = set()
    for line in _psl().decode("utf-8").split("\n"):
        rule = line.strip()
        if not rule or rule.startswith("//"):
            continue
        if rule.startswith("*."):
            parents.add(_a_labels(rule[2:]))
        elif rule.startswith("!"):
            exceptions.add(_a_labels(rule[1:]))
        else:
            names.add(_a_labels(rule))
    return SuffixRules(names=frozenset(names), parents=frozenset(parents), exceptions=frozenset(exceptions))


@lru_cache(maxsize=_CACHED_HOSTS)
def registrable_domain(host: str) -> str:
    """Return the name that its owner registered: the public suffix and one label more.

    IP addresses, single labels and public suffixes return themselves. A host under a top level that the
    list does not know falls under its rule `*`: the last two labels.
    """
    if "." not in host or is_ip_address(host):
        return host
    labels = host.split(".")
    suffix = _suffix_length(host)
    return ".".join(labels[-(suffix + 1) :])


def is_public_suffix(host: str) -> bool:
    """Whether everybody can register names below this one (`com`, `co.uk`, `blogspot.com`)."""
    if is_ip_address(host):
        return False
    rules = suffix_rules()
    if "." not in host or host in rules.names:
        return True
    return host.partition(".")[2] in rules.parents and host not in rules.exceptions


@cache
def psl_version() -> str:
    """Return `sha256:` and the hex digest of the Public Suffix List in use."""
    return f"sha256:{sha256(_psl()).hexdigest()}"


def _psl() -> bytes:
    octets = pkgutil.get_data("tldextract", ".tld_set_snapshot")
    if octets is None:
        raise ListError("tldextract: its bundled Public Suffix List is missing; reinstall tldextract")
    return octets


def _a_labels(rule: str) -> str:
    return rule.lower() if rule.isascii() else idna.encode(rule, uts46=True).decode("ascii")


def _suffix_length(host: str) -> int:
    """Return the number of labels of the public suffix, at least 1 (the list's default rule)."""
    suffix = _extractor().extract_str(host).suffix
    return suffix.count(".") + 1 if suffix else 1
