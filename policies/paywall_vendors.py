"""Who sells paywalls and what gates say: the data file, loaded and checked.

The file is `policies/signals/paywall_vendors.toml`; what it is for stands there. Reading it is the one impure
thing here, so that signals and rules stay pure: they get the table as an argument.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources

from blocklists.errors import ExitCode, SekishoError
from policies.signals.gate_words import Vendor, VendorTable, make_table

FORMAT = "sekisho.paywall-vendors/1"
_FILE = "paywall_vendors.toml"


class PaywallVendorsError(SekishoError):
    """The table of paywalls cannot be read; without it a closed page could be kept."""

    exit_code = ExitCode.REFUSED


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise TypeError(f"not a list of words: {value!r}"[:200])
    return tuple(value)


def parse_paywall_vendors(text: str) -> VendorTable:
    """Return the table of a file in its TOML form; PaywallVendorsError when it is not one."""
    try:
        document = tomllib.loads(text)
        if document["schema"] != FORMAT:
            raise PaywallVendorsError(
                f"{_FILE}: schema {document['schema']!r} is unknown; this version reads {FORMAT}"
            )
        vendors = tuple(
            Vendor(name=str(row["name"]), hosts=_strings(row["hosts"]), needs=str(row.get("needs", "")))
            for row in document["vendor"]
        )
        languages = document["language"]
        table = make_table(
            vendors,
            own_gate=_strings(document["own_gate"]["words"]),
            gates=tuple(phrase for row in languages for phrase in _strings(row["gates"])),
            meters=tuple(phrase for row in languages for phrase in _strings(row["meters"])),
            pairs=tuple(
                (_strings(row["going_on"]), _strings(row["keys"])) for row in languages if "going_on" in row
            ),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise PaywallVendorsError(
            f"{_FILE} cannot be read ({error!r}); install the package again or correct the file"
        ) from error
    hosts = [host for vendor in vendors for host in vendor.hosts]
    repeated = {host for host in hosts if hosts.count(host) > 1}
    if repeated or not vendors:
        what = f"lists {min(repeated)!r} twice" if repeated else "lists no vendor"
        raise PaywallVendorsError(f"{_FILE} {what}; each host stands there once")
    return table


@lru_cache(maxsize=1)
def load_paywall_vendors() -> VendorTable:
    """Return the table that this version ships."""
    try:
        text = resources.files("policies.signals").joinpath(_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise PaywallVendorsError(f"{_FILE} is missing ({error}); install the package again") from error
    return parse_paywall_vendors(text)
