"""What Scrapy's stats say of the block lists: entries, age, and what became of the last refresh of each.

Set when a crawl begins and again whenever its lists or what is known of them change; lists that are no more
in force leave no number behind. Keys hold the id of a list, never a host. Decides nothing.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from blocklists.errors import ListError
from blocklists.refresh_state import last_outcome, list_ages, load_states
from crawler.extensions.metrics import DOMAIN_LIST

if TYPE_CHECKING:
    from scrapy.statscollectors import StatsCollector

    from crawler.checkpoint import Checkpoint


def set_lists(stats: StatsCollector, checkpoint: Checkpoint) -> None:
    """Set everything about the lists that are in force at this moment."""
    wanted = list_stats(checkpoint)
    known = stats.get_stats()
    for key in [key for key in known if key.startswith(DOMAIN_LIST) and key not in wanted]:
        del known[key]
    for key, value in wanted.items():
        stats.set_value(key, value)


def list_stats(checkpoint: Checkpoint) -> dict[str, float]:
    """Return the numbers of the lists by their keys; times in seconds since 1970 (UTC)."""
    snapshot, config = checkpoint.snapshot, checkpoint.config
    found: dict[str, float] = {}
    for source in json.loads(snapshot.manifest)["sources"]:
        found[f"{DOMAIN_LIST}{source['declared']['id']}/entries"] = int(source["entries"])
    with suppress(ListError):  # a damaged state file: whoever refreshes is told, a crawl goes on
        states = load_states(config.blocklists)
        for name in (source.source_id for source in snapshot.sources):
            state = states.get(name)
            outcome = last_outcome(state) if state else None
            if state is not None and outcome is not None:
                found[f"{DOMAIN_LIST}{name}/refresh/{outcome.value}"] = 1
                found[f"{DOMAIN_LIST}{name}/refresh_failures"] = state.failures
        for age in list_ages(
            config.blocklists,
            snapshot.sources,
            now_us=checkpoint.clock.now_us(),
            warn_days=config.lists_warn_days,
            refuse_days=max(config.lists_refuse_days, config.lists_warn_days),
        ):
            found[f"{DOMAIN_LIST}{age.source_id}/updated_timestamp"] = age.confirmed_at / 1_000_000
    return found
