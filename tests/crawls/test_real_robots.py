"""Real robots.txt files, each on an origin of its own: what the server received, against the labels.

A crawl asks for every labelled URL. What Google's reader forbids must not arrive, what it allows must, and
each difference has a name that is proved from the log and the file, not assumed; a difference without a name
is a defect. Files without labels are crawled too, and there the second reader is the judge.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest
from arrivals import LISTED_SPIDER, Bases, address, as_sent, undecided
from loopback import AGENT, Reply
from protego import Protego
from scrapy import Request

from policies.rights_rules import FILE_RIGHTS, REQUEST_RIGHTS
from policies.vocabulary import Action, Reason, Stage

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "robots"
pytestmark = pytest.mark.skipif(
    not (DATA / "real-2019.jsonl.gz").exists(), reason=f"the robots fixtures are not in {DATA}"
)

# Bodies that are a bot's challenge in place of the file: to Google a file without rules, to us unreachable.
CHALLENGES = frozenset({"www.amadeus.net", "www.economist.com", "www.efirstbank.com"})
# URLs that Google allows and that were not asked for, by agent and reason; the cap of the delay is 5 s.
DIFFERENCES = {
    "ExampleBot": {
        "crawl-delay-above-cap": 300,
        "challenge-page": 2,
        "star-and-latin-1-blank": 1,
        "index-page": 1,
        "allow-with-leading-star": 1,
        "beside-the-rules: robots_noindex": 8,
        "beside-the-rules: rsl": 2,
    },
    "GPTBot": {
        "crawl-delay-above-cap": 294,
        "challenge-page": 2,
        "star-and-latin-1-blank": 1,
        "allow-with-leading-star": 4,
        "beside-the-rules: robots_noindex": 5,
        "beside-the-rules: rsl": 2,
        "beside-the-rules: peer_blocks": 2,
    },
    "CCBot": {
        "crawl-delay-above-cap": 285,
        "challenge-page": 2,
        "star-and-latin-1-blank": 1,
        "index-page": 1,
        "allow-with-leading-star": 1,
        "beside-the-rules: robots_noindex": 8,
        "beside-the-rules: rsl": 2,
    },
}
SETTINGS = """
LOG_LEVEL = "WARNING"
SEKISHO_PROGRESS = False
RETRY_ENABLED = False
CONCURRENT_REQUESTS = 3000
DOWNLOAD_TIMEOUT = 60
DNS_TIMEOUT = 60
"""
CLOSE = ("Connection", "close")
STAR_AND_BLANK = re.compile(rb"(?im)^[ \t]*user-agent[ \t]*:[ \t]*\*\xa0")
ALLOW_WITH_STAR = re.compile(rb"(?im)^[ \t]*allow[ \t]*:[ \t]*(\*[^#\s]*)")
RULE = re.compile(rb"(?im)^[ \t]*(?:dis)?allow[ \t]*:[ \t]*(/[^#\r\n]*)")


@dataclass(slots=True)
class Site:
    """One body on its origin: the paths that are asked for, and Google's verdict where there is a label."""

    name: str
    host: str
    body: bytes
    labels: dict[str, dict] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return [line.decode("utf-8", "replace") for line in re.split(rb"\r\n|\r|\n", self.body)]


@cache
def _rows(name):
    return [json.loads(line) for line in gzip.decompress((DATA / name).read_bytes()).splitlines()]


def _paths_of(body: bytes) -> list[str]:
    """Return paths for a file without labels: made from some of its rules, and two that it cannot know."""
    rules = [value.strip() for value in RULE.findall(body[:200_000])]
    made = [quote(value.replace(b"*", b"x").removesuffix(b"$"), safe="/%?=&:;,.~_-") for value in rules[:4]]
    made = [path[:500].rstrip("?") for path in made if path != "/robots.txt"]
    return list(dict.fromkeys(["/", "/robots-unrelated", *made]))


def sites(agent: str, *, every: int, unlabelled: bool) -> list[Site]:
    """Return the sites of a crawl by an agent: every n-th body with labels, and all bodies without."""
    labels: defaultdict[str, dict[str, dict]] = defaultdict(dict)
    labelled = set()
    for label in _rows("real-2019-labels.jsonl.gz"):
        labelled.add(label["sha256"])
        if label["user_agent"] == agent:
            labels[label["sha256"]][label["path"]] = label
    found = []
    for row in _rows("real-2019.jsonl.gz"):
        given = labels.get(row["sha256"], {})
        body = base64.b64decode(row["body_base64"])
        host = f"h{len(found):04}.localhost"
        if given:
            tagged = any("google_specific" in label for label in given.values())
            rare = (tagged and len(given) >= 5) or row["name"] in CHALLENGES
            if int(row["sha256"][:8], 16) % every == 0 or rare:
                found.append(Site(row["name"], host, body, given, list(given)))
        elif unlabelled:
            found.append(Site(row["name"], host, body, {}, _paths_of(body)))
    return found


def _matches(pattern: bytes, path: str) -> bool:
    """Whether a rule's value matches a path: `*` any octets, a last `$` the end."""
    anchored = pattern.endswith(b"$")
    expression = b".*".join(re.escape(part) for part in pattern.removesuffix(b"$").split(b"*"))
    return re.match(expression + (b"\\Z" if anchored else b""), path.encode(), re.DOTALL) is not None


def _name_of_refusal(site, path, assessment, cap) -> str:  # noqa: PLR0911 - one name a line
    """Name why an URL was refused that Google allows, or return "unexplained"."""
    verdict = assessment.deciding
    first = verdict.evidence[0]
    tags = site.labels[path].get("google_specific", [])
    if verdict.reason is Reason.CRAWL_DELAY_TOO_LONG:
        number = re.search(r"(?i)crawl.?delay\W*([\d.]+)", first.text)
        return "crawl-delay-above-cap" if number and float(number[1]) > cap else "unexplained"
    if verdict.rule in {*REQUEST_RIGHTS, *FILE_RIGHTS}:  # a line beside the rules, which the labels leave out
        return f"beside-the-rules: {verdict.rule}"
    if verdict.reason is Reason.ROBOTS_UNREACHABLE:
        return "challenge-page" if "challenge" in first.note and site.name in CHALLENGES else "unexplained"
    if verdict.reason is Reason.NO_PERMIT:  # Twisted would send `/a;` as `/a`
        return "would-change-on-the-wire" if re.search(r";(\?|$)", path) else "unexplained"
    if verdict.reason is not Reason.ROBOTS_DISALLOW:
        return "unexplained"
    if verdict.evidence[-1].reader == "protego":
        return "protego-stricter"
    if "index-page" in tags:
        return "index-page"
    if STAR_AND_BLANK.search(site.body):
        return "star-and-latin-1-blank"
    if any(_matches(value, path) for value in ALLOW_WITH_STAR.findall(site.body)):
        return "allow-with-leading-star"
    return "unexplained"


def _names_a_real_line(site, assessment) -> bool:
    """Whether the line that a refusal cites stands in the file, at that number, with these words."""
    verdict = assessment.deciding
    if verdict.reason in {Reason.ROBOTS_UNREACHABLE, Reason.NO_PERMIT}:
        return True  # no line of a file decides
    evidence = verdict.evidence[0]
    if verdict.evidence[-1].reader == "protego":
        return True  # the second reader names no line
    if evidence.line is None or not evidence.text:
        return False
    written = site.lines[evidence.line - 1].removeprefix("\ufeff")
    return written.strip()[:500].startswith(evidence.text.strip()[:500])


def crawl_of(web, project, agent, found, cap):
    """Crawl the sites as an agent; return what the crawl came to and how long it took."""
    text = AGENT.replace("ExampleBot", agent) + f"\n[robots]\nmax_crawl_delay_seconds = {cap}\n"
    (project.folder / "policies_here/agents/examplebot.toml").unlink()
    project.write(f"policies_here/agents/{agent.lower()}.toml", text)
    project.append("project_settings.py", SETTINGS)
    project.write("spiders/listed.py", LISTED_SPIDER)
    by_host = {site.host: site for site in found}
    page = Reply(200, (("Content-Type", "text/plain"), CLOSE), b"a page")

    def answer(received):
        if received.path == "/robots.txt":
            return Reply(200, (("Content-Type", "text/plain"), CLOSE), by_host[received.host].body)
        return page

    web.default = answer
    urls = [web.url(site.host, path) for site in found for path in site.paths]
    project.write("urls.txt", "\n".join(urls) + "\n")
    began = time.monotonic()
    crawl = project.scrapy("crawl", "listed", timeout=900)
    return crawl, time.monotonic() - began


def compare(web, crawl, found, agent, cap) -> Counter[str]:
    """Assert that arrivals, log and labels agree; return how many URLs went which way, by name."""
    asked = {}
    outcome: Counter[str] = Counter()
    for site in found:
        for path in site.paths:
            url = web.url(site.host, path)
            # Scrapy drops an empty query, so that another URL is asked for: the label does not speak of it.
            if path.endswith("?"):
                outcome["empty-query-dropped"] += 1
            else:
                asked[as_sent(Request(url).url)] = (site, path)
    everything = {as_sent(Request(web.url(site.host, path)).url) for site in found for path in site.paths}
    arrived = Counter(address(web, one) for one in web.received)
    refused = {
        as_sent(one.url): one
        for one in crawl.records
        if one.stage is Stage.REQUEST and one.verdict != Action.FETCH.value
    }
    files = {web.url(site.host, "/robots.txt") for site in found}
    assert {url for url in arrived if url not in everything} == files
    assert set(arrived) | set(refused) == everything | files
    unexplained = []
    with Bases(crawl.folder) as bases:
        for url, (site, path) in asked.items():
            label = site.labels.get(path)
            if url in arrived:
                assert url not in refused
                name = "fetched" if label is None or label["google_allowed"] else "FORBIDDEN BUT RECEIVED"
            else:
                assert url in refused, f"{url}: neither received nor refused"
                assessment = bases.of(refused[url])
                assert _names_a_real_line(site, assessment), (site.name, path, assessment.deciding)
                if label is None or not label["google_allowed"]:
                    name = "refused"
                else:
                    name = _name_of_refusal(site, path, assessment, cap)
            outcome[name if label else f"unlabelled-{name}"] += 1
            if name in {"FORBIDDEN BUT RECEIVED", "unexplained"}:
                unexplained.append((name, site.name, path, label, refused.get(url)))
    print(f"{agent}: {len(found)} files, {len(web.received)} arrivals, {dict(outcome)}")
    assert unexplained == []
    return outcome


def _named(outcome) -> dict[str, int]:
    """Return the counts of what Google allows and was not asked for."""
    usual = {"fetched", "refused", "unlabelled-fetched", "unlabelled-refused", "empty-query-dropped"}
    return {name: count for name, count in outcome.items() if name not in usual}


def _second_reader_allows_all_that_arrived(web, found, agent):
    arrived = defaultdict(list)
    for one in web.received:
        if one.path != "/robots.txt":
            arrived[one.host].append(one.path)
    for site in found:
        if len(site.body) > 100_000 or b"\x00" in site.body:
            continue  # the second reader is bounded there; its own tests say how
        try:
            parser = Protego.parse(site.body.decode("utf-8"))
        except UnicodeDecodeError:
            continue  # Protego reads text only
        for path in arrived[site.host]:
            assert parser.can_fetch(f"http://{site.host}{path}", agent), (site.name, path)


def test_of_a_sample_of_real_files_nothing_forbidden_arrives_and_nothing_allowed_is_left_out(web, project):
    found = sites("ExampleBot", every=17, unlabelled=False)
    assert len(found) >= 120
    crawl, _ = crawl_of(web, project, "ExampleBot", found, cap=1)
    assert crawl.code == 0, crawl.stderr[-3000:]
    assert undecided(web, web.received, crawl.records) == []
    outcome = compare(web, crawl, found, "ExampleBot", cap=1)
    assert outcome["fetched"] > 100
    assert outcome["refused"] > 100
    assert _named(outcome) == {"crawl-delay-above-cap": 20, "index-page": 1, "challenge-page": 2}


@pytest.mark.long
@pytest.mark.parametrize("agent", ["ExampleBot", "GPTBot", "CCBot"])
def test_of_all_real_files_nothing_forbidden_arrives_and_nothing_allowed_is_left_out(web, project, agent):
    found = sites(agent, every=1, unlabelled=True)
    assert len(found) == 3_833
    crawl, seconds = crawl_of(web, project, agent, found, cap=5)
    print(f"{agent}: {seconds:.0f} s")
    assert crawl.code == 0, crawl.stderr[-3000:]
    assert undecided(web, web.received, crawl.records) == []
    outcome = compare(web, crawl, found, agent, cap=5)
    assert _named(outcome) == DIFFERENCES[agent]
    assert outcome["fetched"] > 3_000
    assert outcome["refused"] > 3_000
    _second_reader_allows_all_that_arrived(web, found, agent)
