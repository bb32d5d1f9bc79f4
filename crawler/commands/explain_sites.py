"""Where `sekisho explain` gets the sites' side from: the sites themselves, or the log.

Asking sites is a run like any other, with the add-on, the log and the door, by a spider that asks for
nothing but robots.txt.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocklists.profile import load_profile
from blocklists.snapshot import load_snapshot
from crawler.config import read_config
from crawler.decisionlog.clock import SystemClock
from crawler.decisionlog.reader import LogReader
from crawler.recorded_sites import RecordedSites
from policies.agents import has_placeholder_contact, load_agent
from policies.agents_intent import intent_of
from policies.ai_agents import load_ai_agents
from policies.decide import SiteSide, Standing
from policies.facts import RequestFacts
from policies.rules.judged_rows import Intent
from policies.rules.piracy import judge_piracy
from policies.rules.robots import leaves_open
from policies.rules.scope import judge_scope
from policies.vocabulary import RequestKind
from policies.waivers import NO_WAIVERS, load_waivers

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import AsyncIterator, Sequence

    from scrapy.settings import Settings

    from blocklists.snapshot import Snapshot
    from crawler.config import Config
    from policies.vocabulary import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The agent's side of an explanation, and the settings under which sites are asked."""

    standing: Standing
    user_agent: str
    settings: Settings
    config: Config
    snapshot: Snapshot

    @property
    def intent(self) -> Intent:
        """What the agent wants of content."""
        return self.standing.intent or Intent(token=self.standing.token, purposes=frozenset())

    def stops_before_robots(self, origin: Origin) -> bool:
        """Whether rules that come before robots refuse an origin, so that it must not be asked."""
        facts = RequestFacts(
            url=f"{origin}/robots.txt",
            method="GET",
            user_agent=self.user_agent,
            kind=RequestKind.ROBOTS,
            origin=origin,
        )
        now_us = SystemClock().now_us()
        return not (
            judge_scope(facts, loopback_only=self.standing.loopback_only).action.passes
            and judge_piracy(
                facts, self.standing.matcher, now_us=now_us, weights=self.standing.weights
            ).action.passes
        )


def load_site(arguments: Namespace, log: str) -> Site:
    """Return settings, agent and lists; SekishoError says what is wrong with them."""
    from scrapy.utils.project import get_project_settings  # noqa: PLC0415 - only this command needs Scrapy

    settings = get_project_settings()
    given = {
        "SEKISHO_POLICIES": arguments.policies or os.environ.get("SEKISHO_POLICIES"),
        "SEKISHO_BLOCKLISTS": arguments.blocklists or os.environ.get("SEKISHO_BLOCKLISTS"),
        "SEKISHO_AGENT": arguments.agent,
        "SEKISHO_LOG": log,
        "SEKISHO_PROGRESS": False,
    }
    for name, value in given.items():
        if value is not None:
            settings.set(name, value, priority="cmdline")
    settings.set("ADDONS", {"crawler.addon.SekishoAddon": 100}, priority="cmdline")
    settings.set("LOG_LEVEL", "ERROR", priority="cmdline")
    config = read_config(settings)
    agent = load_agent(config.policies, config.agent)
    snapshot = load_snapshot(Path(config.blocklists), now_us=SystemClock().now_us())
    standing = Standing(
        token=agent.policy.token,
        loopback_only=has_placeholder_contact(agent.policy),
        longest_delay=agent.policy.robots.max_crawl_delay_seconds,
        matcher=snapshot.matcher,
        weights=load_profile(config.profile),
        intent=intent_of(agent.policy, arguments.purpose or ()),
        agents=load_ai_agents(),
        waivers=load_waivers(config.waivers_file) if config.waivers_file else NO_WAIVERS,
    )
    return Site(
        standing=standing,
        user_agent=agent.policy.user_agent,
        settings=settings,
        config=config,
        snapshot=snapshot,
    )


def said_by_sites(site: Site, origins: Sequence[Origin]) -> dict[Origin, SiteSide]:
    """Ask each origin for robots.txt and its files of rights, recorded and through the door."""
    if not origins:
        return {}
    from scrapy import Spider  # noqa: PLC0415
    from scrapy.crawler import AsyncCrawlerProcess  # noqa: PLC0415

    from crawler.checkpoint import Checkpoint  # noqa: PLC0415

    found: dict[Origin, SiteSide] = {}

    class ExplainSpider(Spider):
        name = "explain"

        async def start(self) -> AsyncIterator[Any]:
            checkpoint = Checkpoint.of(self.crawler)
            site_files = checkpoint.site_files
            for origin in origins if site_files is not None else ():
                robots = await site_files.robots(origin)  # type: ignore[union-attr] # asked just above
                files = None
                # Where robots.txt could not be had or is refused, nothing more is asked for.
                if checkpoint.rights_files is not None and leaves_open(robots.file, checkpoint.intent):
                    files = await checkpoint.rights_files.rights(origin)
                found[origin] = SiteSide(readings=robots.readings, files=files)
            return
            yield  # type: ignore[unreachable] # makes it an asynchronous generator, as Scrapy wants

    process = AsyncCrawlerProcess(site.settings)
    process.crawl(ExplainSpider)
    process.start()
    return found


def said_in_log(site: Site, log: str, origins: Sequence[Origin]) -> dict[Origin, SiteSide]:
    """Return what the newest robots.txt and files of rights of each origin in the log say.

    An origin whose robots.txt is not there is left out.
    """
    now_us = SystemClock().now_us()
    found: dict[Origin, SiteSide] = {}
    with LogReader.open(log) as reader:
        recorded = RecordedSites(reader, site.intent)
        for origin in origins:
            side = recorded.at(origin, now_us).side
            if side is not None:
                found[origin] = side
    return found
