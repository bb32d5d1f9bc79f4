"""What Scrapy's stats say of a crawl, as Prometheus metrics: names, labels and where each value comes from.

Pure: stats in, readings out. The table below is the list that README, dashboards and alert rules may use.
A metric whose stats are absent has no sample: nothing is reported that nobody has measured. Counters that
alarms wait for start at zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Metric(StrEnum):
    """Every metric by name; `kind`, `labels` and `help` say the rest."""

    DECISIONS = "sekisho_decisions_total"
    ROBOTS_FETCHES = "sekisho_robots_fetches_total"
    ROBOTS_CACHE = "sekisho_robots_cache_entries"
    RESTRICTIONS = "sekisho_access_restrictions_total"
    LIST_ENTRIES = "sekisho_domain_list_entries"
    LIST_UPDATED = "sekisho_domain_list_updated_timestamp_seconds"
    LIST_REFRESH = "sekisho_domain_list_refresh_result"
    LIST_FAILURES = "sekisho_domain_list_refresh_failures"
    LOG_RECORDS = "sekisho_log_records_total"
    LOG_BYTES = "sekisho_log_bytes_total"
    LOG_ERRORS = "sekisho_log_write_errors_total"
    LOG_LAST_APPEND = "sekisho_log_last_append_timestamp_seconds"
    TRIPWIRE = "sekisho_tripwire_refused_total"
    RUN_COMPLETED = "sekisho_run_last_completed_timestamp_seconds"
    POLICY = "sekisho_policy_info"
    BUILD = "sekisho_build_info"

    @property
    def kind(self) -> str:
        """Return `counter` or `gauge`; the name's ending says which."""
        return "counter" if self.value.endswith("_total") else "gauge"

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the labels, in order."""
        return _ABOUT[self][0]

    @property
    def help(self) -> str:
        """Return one sentence for the exposition."""
        return _ABOUT[self][1]


_ABOUT: dict[Metric, tuple[tuple[str, ...], str]] = {
    Metric.DECISIONS: (
        ("spider", "agent", "decision", "reason"),
        "Decisions about requests and responses; decision is fetched, skipped or failed.",
    ),
    Metric.ROBOTS_FETCHES: (("agent", "result"), "Readings of robots.txt by what came of them."),
    Metric.ROBOTS_CACHE: ((), "Origins whose robots.txt is in memory."),
    Metric.RESTRICTIONS: (("kind",), "Responses that were dropped because access to them is restricted."),
    Metric.LIST_ENTRIES: (("list",), "Entries of a block list."),
    Metric.LIST_UPDATED: (("list",), "When the source of a block list last confirmed or replaced it."),
    Metric.LIST_REFRESH: (
        ("list", "result"),
        "What became of the last refresh of a block list: accepted, unchanged, held or failed; always 1.",
    ),
    Metric.LIST_FAILURES: (
        ("list",),
        "Refreshes of a block list that failed or were held, in a row.",
    ),
    Metric.LOG_RECORDS: ((), "Records written to the decision log."),
    Metric.LOG_BYTES: ((), "Octets written to the decision log."),
    Metric.LOG_ERRORS: ((), "Errors while writing the decision log; the first one stops the crawl."),
    Metric.LOG_LAST_APPEND: ((), "When a record was last made durable."),
    Metric.TRIPWIRE: ((), "What code opened past the door, and was refused."),
    Metric.RUN_COMPLETED: (("spider",), "When a crawl last ended by itself."),
    Metric.POLICY: (("version", "sha256_12"), "The agent policy in force, always 1."),
    Metric.BUILD: (("version", "scrapy_version", "python_version"), "The versions that run, always 1."),
}

SKIPPED_BY_REASON = "sekisho/skipped_reason_count/"
FAILED_BY_REASON = "sekisho/failed_reason_count/"
ROBOTS_FETCHES = "sekisho/robots_fetches/"
# Then `<list>/` and `entries`, `updated_timestamp` (seconds), `refresh_failures` or `refresh/<result>`.
DOMAIN_LIST = "sekisho/domain_list/"

# The words of `policies.facts.RobotsAccess`, in the words of the metric.
ROBOTS_RESULTS = {"rules": "ok", "unavailable": "absent"}

# Reason codes that mean a restriction, in the words of the metric.
RESTRICTION_KINDS = {
    "http_401": "http_401",
    "http_402": "http_402",
    "http_403": "http_403",
    "http_407": "http_407",
    "legal_block": "http_451",
    "login_required": "login_form",
    "paywall_structured_data": "json_ld",
    "paywall_markup": "markup",
    "paywall_metered": "metered",
    "paywall_gate": "gate",
    "bot_challenge": "challenge",
    "crawler_charged": "charged",
    "credentials_requested": "credentials",
}

# Metrics without labels: the stat that holds the value, and the value to report when it is absent.
SINGLE_VALUES: dict[Metric, tuple[str, float | None]] = {
    Metric.ROBOTS_CACHE: ("sekisho/robots_cache_entries", None),
    Metric.LOG_RECORDS: ("sekisho/log/records", 0),
    Metric.LOG_BYTES: ("sekisho/log/bytes", None),
    Metric.LOG_ERRORS: ("sekisho/log/errors", 0),
    Metric.TRIPWIRE: ("sekisho/tripwire/refused", 0),
    Metric.LOG_LAST_APPEND: ("sekisho/log/last_append_timestamp", None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One sample: a metric, the values of its labels in order, and a number."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _text(stats: Mapping[str, object], key: str) -> str:
    return str(stats.get(key) or "")


def _below(stats: Mapping[str, object], prefix: str) -> Iterator[tuple[str, float]]:
    """Yield the rest of the key and the number of every stat under a prefix, in order of the keys."""
    for key in sorted(key for key in stats if key.startswith(prefix)):
        yield key.removeprefix(prefix), _number(stats[key])


def _decisions(stats: Mapping[str, object], spider: str) -> Iterator[Reading]:
    agent = _text(stats, "sekisho/agent")

    def reading(decision: str, reason: str, value: float) -> Reading:
        return Reading(metric=Metric.DECISIONS, labels=(spider, agent, decision, reason), value=value)

    yield reading("fetched", "allowed", _number(stats.get("sekisho/decisions/fetched")))
    for reason, count in _below(stats, SKIPPED_BY_REASON):
        yield reading("skipped", reason, count)
    for reason, count in _below(stats, FAILED_BY_REASON):
        yield reading("failed", reason, count)


def _robots(stats: Mapping[str, object]) -> Iterator[Reading]:
    agent = _text(stats, "sekisho/agent")
    for access, count in _below(stats, ROBOTS_FETCHES):
        result = ROBOTS_RESULTS.get(access, access)
        yield Reading(metric=Metric.ROBOTS_FETCHES, labels=(agent, result), value=count)


def _restrictions(stats: Mapping[str, object]) -> Iterator[Reading]:
    for reason, count in _below(stats, SKIPPED_BY_REASON):
        if reason in RESTRICTION_KINDS:
            yield Reading(metric=Metric.RESTRICTIONS, labels=(RESTRICTION_KINDS[reason],), value=count)


def _lists(stats: Mapping[str, object]) -> Iterator[Reading]:
    metrics = {
        "entries": Metric.LIST_ENTRIES,
        "updated_timestamp": Metric.LIST_UPDATED,
        "refresh_failures": Metric.LIST_FAILURES,
    }
    for rest, value in _below(stats, DOMAIN_LIST):
        name, _, what = rest.rpartition("/")
        if name.endswith("/refresh"):
            yield Reading(
                metric=Metric.LIST_REFRESH, labels=(name.removesuffix("/refresh"), what), value=value
            )
        elif name and what in metrics:
            yield Reading(metric=metrics[what], labels=(name,), value=value)


def read_metrics(
    stats: Mapping[str, object],
    *,
    spider: str,
    completed_at: float | None,
    versions: tuple[str, str, str],
) -> list[Reading]:
    """Return every reading of one moment.

    `completed_at` is seconds since the epoch (UTC) once the crawl has ended by itself; `versions` are those
    of Sekisho, Scrapy and Python.
    """
    readings = [*_decisions(stats, spider), *_robots(stats), *_restrictions(stats), *_lists(stats)]
    for metric, (key, absent) in SINGLE_VALUES.items():
        value = stats.get(key, absent)
        if value is not None:
            readings.append(Reading(metric=metric, value=_number(value)))
    if completed_at is not None:
        readings.append(Reading(metric=Metric.RUN_COMPLETED, labels=(spider,), value=completed_at))
    policy = _text(stats, "sekisho/policy/sha256")
    if policy:
        labels = (_text(stats, "sekisho/policy/version"), policy[:12])
        readings.append(Reading(metric=Metric.POLICY, labels=labels, value=1))
    readings.append(Reading(metric=Metric.BUILD, labels=versions, value=1))
    return readings
