"""Every question that a disclosure puts to the log, in SQL over the view `decisions`.

Nothing here runs anything. Where a definition decides a number, it is written beside the query, because the
query is printed in the disclosure: pages are requests of kind `page`; robots.txt and other site files are
counted apart; a page counts as fetched when a permit was given, as received when an answer arrived, as kept
when its body was handed on; bytes kept are octets of bodies handed on, after removal of transfer encodings.
A host without a registrable domain (an IP address, a single label) stands for itself.
The EU template's rule for label 8 (footnote 16): the top 10 % of all domain names by size of content, for
SMEs the top 5 % or 1,000, whichever is lower; both rounded up.
"""
# ruff: noqa: S608 - the parts are constants of this module; values enter as parameters

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.disclosure.families import FAMILIES, Family
from exporters.disclosure.figures import Query

if TYPE_CHECKING:
    from policies.vocabulary import Reason

_DOMAIN = "COALESCE(NULLIF(domain, ''), host, '')"
_KEPT = "stage = 'response' AND verdict = 'keep' AND kind = 'page' AND {scope}"
_PERMITS = "stage = 'request' AND verdict = 'fetch' AND kind = 'page' AND {scope}"
# A withdrawal is about what an earlier run kept; a page that was asked for only to judge it was not refused.
_REFUSED = "verdict = 'skip' AND kind = 'page' AND reason NOT IN ('withdrawn', 'judged_only') AND {scope}"


def _query(identity: str, columns: str, sql: str, *, alias: str = "") -> Query:
    text = "\n".join(line.rstrip() for line in sql.strip("\n").splitlines())
    return Query(id=identity, columns=tuple(columns.split()), sql=text, alias=alias)


def _count(identity: str, where: str) -> Query:
    return _query(identity, "count", f"SELECT COUNT(*) FROM decisions\nWHERE {where}")


def _names(reasons: tuple[Reason, ...]) -> str:
    return ", ".join(f"'{reason.value}'" for reason in reasons)


def _family_cases() -> str:
    return "\n".join(
        f"  WHEN reason IN ({_names(reasons)}) THEN '{family.value}'" for family, reasons in FAMILIES.items()
    )


RECORDS = _count("records", "{scope}")
DECIDED = _count("decided", "stage = 'request' AND kind = 'page' AND {scope}")
PERMITTED = _count("permitted", _PERMITS)
RECEIVED = _count("received", "stage = 'outcome' AND verdict = 'received' AND kind = 'page' AND {scope}")
FAILED = _count("failed", "stage = 'outcome' AND verdict = 'failed' AND kind = 'page' AND {scope}")
KEPT = _count("kept", _KEPT)
DISCARDED = _count("discarded", "stage = 'response' AND " + _REFUSED)
REFUSED = _count("refused", "stage = 'request' AND " + _REFUSED)
WAIVED = _count("waived", "reason = 'waiver_used' AND kind = 'page' AND {scope}")
WITHDRAWN = _count("withdrawn", "stage = 'response' AND reason = 'withdrawn' AND {scope}")
DEFERRED = _count("deferred", "stage = 'request' AND verdict = 'defer' AND kind = 'page' AND {scope}")

HOSTS = _query("hosts", "count", f"SELECT COUNT(DISTINCT host) FROM decisions\nWHERE {_PERMITS}")
BYTES_RECEIVED = _query(
    "bytes_received",
    "bytes",
    "SELECT COALESCE(SUM(size), 0) FROM decisions\nWHERE stage = 'outcome' AND kind = 'page' AND {scope}",
)
BYTES_KEPT = _query("bytes_kept", "bytes", f"SELECT COALESCE(SUM(size), 0) FROM decisions\nWHERE {_KEPT}")
KEPT_WITHOUT_SIZE = _count("kept_without_size", _KEPT + " AND size IS NULL")
ERASED = _count("erased_addresses", "stage = 'request' AND url IS NULL AND {scope}")
UNFINISHED = _query(
    "unfinished",
    "count",
    """
SELECT COUNT(*) FROM decisions
WHERE stage = 'request' AND verdict = 'fetch' AND {scope}
  AND (segment, idx) NOT IN (
    SELECT segment, ref_idx FROM decisions WHERE stage = 'outcome' AND ref_idx IS NOT NULL)
""",
)

UNJUDGED = _query(
    "unjudged",
    "count",
    """
SELECT COUNT(*) FROM decisions
WHERE stage = 'outcome' AND verdict = 'received' AND kind = 'page' AND {scope}
  AND (segment, ref_idx) NOT IN (
    SELECT segment, ref_idx FROM decisions WHERE stage = 'response' AND ref_idx IS NOT NULL)
""",
)
RUN_HEADERS = _query(
    "run_headers",
    "segment run header_sha256",
    """
SELECT segment, run, body_sha256 FROM decisions
WHERE stage = 'run' AND reason = 'run_opened' AND {scope}
ORDER BY segment, idx
""",
)
PERIOD = _query(
    "period", "first_us last_us", f"SELECT MIN(ts_us), MAX(ts_us) FROM decisions\nWHERE {_PERMITS}"
)
SPAN = _query("span", "first_us last_us", "SELECT MIN(ts_us), MAX(ts_us) FROM decisions\nWHERE {scope}")
POLICIES = _query(
    "policies",
    "policy_sha256 permits first_us last_us",
    """
SELECT policy_sha256, SUM(CASE WHEN verdict = 'fetch' THEN 1 ELSE 0 END), MIN(ts_us), MAX(ts_us)
FROM decisions
WHERE stage = 'request' AND {scope}
GROUP BY policy_sha256
ORDER BY 3, 1
""",
)
LISTS = _query(
    "blocklists",
    "blocklist_sha256 decisions first_us last_us",
    """
SELECT blocklist_sha256, COUNT(*), MIN(ts_us), MAX(ts_us) FROM decisions
WHERE stage = 'request' AND {scope}
GROUP BY blocklist_sha256
ORDER BY 3, 1
""",
)
SEGMENTS = _query(
    "segments",
    "segment run records first_us last_us",
    """
SELECT segment, run, COUNT(*), MIN(ts_us), MAX(ts_us) FROM decisions
WHERE {scope}
GROUP BY segment, run
ORDER BY 4, 1
""",
)
VERDICTS = _query(
    "verdicts",
    "kind stage verdict count",
    """
SELECT kind, stage, verdict, COUNT(*) FROM decisions
WHERE stage <> 'run' AND {scope}
GROUP BY kind, stage, verdict
ORDER BY kind NULLS FIRST, stage, verdict
""",
)
REASONS = _query(
    "reasons",
    "stage verdict reason count hosts",
    """
SELECT stage, verdict, reason, COUNT(*), COUNT(DISTINCT host) FROM decisions
WHERE stage <> 'run' AND kind = 'page' AND {scope}
GROUP BY stage, verdict, reason
ORDER BY stage, verdict, 4 DESC, reason
""",
)
FAMILY_COUNTS = _query(
    "families",
    "family stage count hosts",
    f"""
SELECT CASE
{_family_cases()}
  ELSE 'other' END AS family, stage, COUNT(*), COUNT(DISTINCT host)
FROM decisions
WHERE stage IN ('request', 'response') AND {_REFUSED}
GROUP BY 1, stage
ORDER BY 1, stage
""",
)
REFUSED_BY_FAMILY: dict[Family, Query] = {
    family: _count(
        f"refused.{family.value}",
        f"stage IN ('request', 'response') AND {_REFUSED}\n  AND reason IN ({_names(reasons)})",
    )
    for family, reasons in FAMILIES.items()
}
WAIVER_HOSTS = _query(
    "waiver_hosts",
    "host stage count first_us last_us",
    """
SELECT COALESCE(host, ''), stage, COUNT(*), MIN(ts_us), MAX(ts_us) FROM decisions
WHERE reason = 'waiver_used' AND kind = 'page' AND {scope}
GROUP BY 1, stage
ORDER BY 3 DESC, 1, 2
""",
)
PURPOSE_PERMITS = _count("purpose_permits", _PERMITS)
ROBOTS = _query(
    "robots_files",
    "verdict status reads hosts first_us last_us",
    """
SELECT verdict, status, COUNT(*), COUNT(DISTINCT host), MIN(ts_us), MAX(ts_us) FROM decisions
WHERE stage = 'outcome' AND kind = 'robots' AND {scope}
GROUP BY verdict, status
ORDER BY verdict DESC, status NULLS FIRST
""",
)
ROBOTS_HOSTS = _query(
    "robots_hosts",
    "count",
    "SELECT COUNT(DISTINCT host) FROM decisions\nWHERE stage = 'outcome' AND kind = 'robots' AND {scope}",
)
ROBOTS_UNREACHABLE_HOSTS = _query(
    "robots_unreachable_hosts",
    "count",
    "SELECT COUNT(DISTINCT host) FROM decisions\n"
    "WHERE reason = 'robots_unreachable' AND kind = 'page' AND {scope}",
)
MEDIA = _query(
    "media_types",
    "media_type pages bytes",
    f"""
SELECT COALESCE(media_type, ''), COUNT(*), COALESCE(SUM(size), 0) FROM decisions
WHERE {_KEPT}
GROUP BY 1
ORDER BY 3 DESC, 2 DESC, 1
""",
)
MODALITIES = _query(
    "modalities",
    "modality pages bytes",
    f"""
SELECT CASE
  WHEN media_type LIKE 'image/%' THEN 'image'
  WHEN media_type LIKE 'video/%' THEN 'video'
  WHEN media_type LIKE 'audio/%' THEN 'audio'
  WHEN media_type LIKE 'text/%' OR media_type LIKE '%+xml' OR media_type LIKE '%+json'
    OR media_type IN ('application/json', 'application/xml', 'application/pdf') THEN 'text'
  WHEN COALESCE(media_type, '') = '' THEN 'undeclared'
  ELSE 'other' END AS modality, COUNT(*), COALESCE(SUM(size), 0)
FROM decisions
WHERE {_KEPT}
GROUP BY 1
ORDER BY 3 DESC, 1
""",
)
DOMAIN_COUNT = _query(
    "domain_count", "count", f"SELECT COUNT(DISTINCT {_DOMAIN}) FROM decisions\nWHERE {_KEPT}"
)


def _top_domains(identity: str, limit: str) -> Query:
    return _query(
        identity,
        "domain pages bytes share_bp",
        f"""
WITH kept AS (
  SELECT {_DOMAIN} AS name, size FROM decisions
  WHERE {_KEPT}
), ranked AS (
  SELECT name, COUNT(*) AS pages, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes FROM kept GROUP BY name
), total AS (
  SELECT COUNT(*) AS names, CAST(SUM(bytes) AS BIGINT) AS bytes FROM ranked
)
SELECT name, pages, bytes,
       CASE WHEN (SELECT bytes FROM total) > 0
            THEN (20000 * bytes + (SELECT bytes FROM total)) / (2 * (SELECT bytes FROM total)) END
FROM ranked
ORDER BY bytes DESC, name
LIMIT {limit}
""",
    )


TOP_DOMAINS = _top_domains("top_domains", "(SELECT (names + 9) / 10 FROM total)")
TOP_DOMAINS_SME = _top_domains(
    "top_domains",
    "(SELECT CASE WHEN (names + 19) / 20 > 1000 THEN 1000 ELSE (names + 19) / 20 END FROM total)",
)

#: Counts that stand alone, in the order in which a reader asks for them.
SINGLE: tuple[Query, ...] = (
    RECORDS, DECIDED, REFUSED, DEFERRED, PERMITTED, RECEIVED, FAILED, DISCARDED, KEPT, WAIVED, WITHDRAWN,
    HOSTS, BYTES_RECEIVED, BYTES_KEPT, KEPT_WITHOUT_SIZE, DOMAIN_COUNT, UNFINISHED, UNJUDGED, ERASED,
    ROBOTS_HOSTS, ROBOTS_UNREACHABLE_HOSTS, *REFUSED_BY_FAMILY.values(),
)  # fmt: skip
#: Tables.
TABLES: tuple[Query, ...] = (
    SPAN, PERIOD, RUN_HEADERS, POLICIES, LISTS, SEGMENTS, VERDICTS, REASONS, FAMILY_COUNTS, ROBOTS,
    MEDIA, MODALITIES, WAIVER_HOSTS,
)  # fmt: skip
