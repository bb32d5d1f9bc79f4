"""robots.txt against labelled cases: Google's conformance suite, and 25,773 verdicts on real files of 2019.

The labels follow Google's reader. Where ours differs, the difference has a name here, and the name a reason;
a difference without a name is a defect.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from protego import Protego

from policies.facts import RequestFacts
from policies.rules.robots import judge_robots, read_rules
from policies.signals.robots import parse_robots
from policies.signals.robots_fetch import read_robots_answer
from policies.signals.robots_path import compile_pattern, judged_path
from policies.vocabulary import Action, Origin, Reason, RequestKind

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "robots"
pytestmark = pytest.mark.skipif(
    not (DATA / "google-rep-cases.jsonl").exists(), reason=f"the robots fixtures are not in {DATA}"
)

# Google's extensions that we do not follow, and what decides instead.
DECIDED_OTHERWISE = {
    "correctness/empty-string#01": "RFC 9309 section 2.2.2: rules are matched against the path of a URI; there is no URI",
    "correctness/empty-string#03": "RFC 9309 section 2.2.2: rules are matched against the path of a URI; there is no URI",
}

# How many real labels we answer differently, by name. Each is stricter than Google: a permission that is not
# written as RFC 9309 asks grants nothing, while a restriction is read leniently.
REAL_DIFFERENCES = {
    # `Allow: *x` begins with no slash (RFC 9309 section 2.2.2: a path pattern begins with "/"), but
    # `Disallow: *x` is accepted.
    "allow-with-leading-star": 7,
    # Google lets `Allow: /x/index.html` allow `/x/` as well; RFC 9309 knows no such thing.
    "index-page": 2,
    # `User-Agent: *` with the no-break space of Latin-1 behind it names nobody to Google. Section 2.2.1 knows no such
    # name; it was surely meant for everyone, and the more restrictive reading holds.
    "star-and-latin-1-blank": 3,
}

STAR_AND_BLANK = re.compile(rb"(?im)^[ \t]*user-agent[ \t]*:[ \t]*\*\xa0")
ALLOW_WITH_STAR = re.compile(rb"(?im)^[ \t]*allow[ \t]*:[ \t]*(\*[^#\s]*)")


@cache
def _lines(name):
    path = DATA / name
    text = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    return [json.loads(line) for line in text.splitlines()]


@cache
def bodies():
    return {
        row["sha256"]: (row["name"], base64.b64decode(row["body_base64"]))
        for row in _lines("real-2019.jsonl.gz")
    }


def test_every_labelled_case_of_google_passes_or_names_the_section_that_decides_otherwise():
    failed = []
    for case in _lines("google-rep-cases.jsonl"):
        answer = parse_robots(base64.b64decode(case["body"])).judge(case["user_agent"], case["url"])
        if answer.allowed != case["expected_allowed"]:
            failed.append((case["category"], case["id"]))
    assert sorted(failed) == sorted(("GOOGLE_SPECIFIC", case_id) for case_id in DECIDED_OTHERWISE)


def _name_of(label, answer, body) -> str:
    """Name the difference between a label and our answer, or return "unexplained"."""
    tags = label.get("google_specific", [])
    if label["google_allowed"] and not answer.allowed:
        if "index-page" in tags:
            return "index-page"
        if STAR_AND_BLANK.search(body):
            return "star-and-latin-1-blank"
        path = judged_path(f"https://h{label['path']}")
        octets = compile_pattern(answer.pattern.encode()).octets
        starred = [
            value for value in ALLOW_WITH_STAR.findall(body) if compile_pattern(value).octets >= octets
        ]
        if any(compile_pattern(value).matches(path) for value in starred):
            return "allow-with-leading-star"
    return "unexplained"


def test_every_difference_from_the_real_labels_is_named_and_counted():
    parsed = {}
    differences: Counter[str] = Counter()
    unexplained = []
    labels = _lines("real-2019-labels.jsonl.gz")
    for label in labels:
        name, body = bodies()[label["sha256"]]
        rules = parsed.get(label["sha256"])
        if rules is None:
            rules = parsed[label["sha256"]] = parse_robots(body)
        answer = rules.judge(label["user_agent"], f"https://{name}{label['path']}")
        if answer.allowed != label["google_allowed"]:
            word = _name_of(label, answer, body)
            differences[word] += 1
            if word == "unexplained":
                unexplained.append((name, label, answer))
    assert len(labels) == 25_773
    assert unexplained == []
    assert dict(differences) == REAL_DIFFERENCES


def _judged(name, body):
    origin = Origin(scheme="https", host=name, port=443)
    robots = read_robots_answer(
        url=f"{origin}/robots.txt",
        final_url=f"{origin}/robots.txt",
        status=200,
        headers=(),
        body=body,
        fetched_at=0,
        hops=0,
        error=None,
    )
    readings = read_rules(robots)

    def judge(path, token):
        facts = RequestFacts(
            url=f"{origin}{path}", method="GET", user_agent=token, kind=RequestKind.PAGE, origin=origin
        )
        return judge_robots(facts, robots, readings, token)

    return judge, readings


def test_the_rule_skips_nothing_that_is_allowed_but_by_name_and_fetches_nothing_that_is_not():
    """Second reader included: what only Protego refuses is a skip that names Protego.

    One labelled body is a bot challenge that was archived as if it were the file: to Google a file without
    rules, to us unreachable.
    """
    judges = {}
    outcome: Counter[str] = Counter()
    for label in _lines("real-2019-labels.jsonl.gz")[::5]:
        name, body = bodies()[label["sha256"]]
        if label["sha256"] not in judges:
            judges[label["sha256"]] = _judged(name, body)
        judge, readings = judges[label["sha256"]]
        verdict = judge(label["path"], label["user_agent"])
        if verdict.action is Action.FETCH:
            assert label["google_allowed"], (name, label)
            assert not readings._second.ask(label["user_agent"], f"https://{name}{label['path']}").refuses
            outcome["fetch"] += 1
        elif not label["google_allowed"]:
            outcome["skip"] += 1
        elif verdict.evidence[-1].reader == "protego":
            outcome["protego-stricter"] += 1
        elif verdict.reason is Reason.ROBOTS_UNREACHABLE:
            assert "_incapsula_resource" in verdict.evidence[0].note
            outcome["challenge-page"] += 1
        else:
            answer = readings.rules.judge(label["user_agent"], f"https://{name}{label['path']}")
            outcome[_name_of(label, answer, body)] += 1
    assert outcome["unexplained"] == 0
    assert outcome["challenge-page"] <= 6
    assert outcome["fetch"] > 2_000
    assert outcome["skip"] > 2_000
    assert outcome["protego-stricter"] <= 20


@pytest.mark.long
def test_no_verdict_on_a_real_label_is_more_permissive_than_google_or_protego():
    """All 25,773 labels against two independent readers: Google's, which made the labels, and Protego.

    Protego is asked on the raw body here, and not through our own second reader. Where it refuses what we fetch,
    a section of RFC 9309 would have to be named; none is needed.
    """
    judges, parsers = {}, {}
    permissive = []
    fetched = 0
    for label in _lines("real-2019-labels.jsonl.gz"):
        digest = label["sha256"]
        name, body = bodies()[digest]
        if digest not in judges:
            judges[digest] = _judged(name, body)[0]
            parsers[digest] = Protego.parse(body.decode("utf-8-sig", "replace"))
        if judges[digest](label["path"], label["user_agent"]).action is not Action.FETCH:
            continue
        fetched += 1
        protego = parsers[digest].can_fetch(f"https://{name}{label['path']}", label["user_agent"])
        if not (label["google_allowed"] and protego):
            permissive.append((name, label))
    assert permissive == []
    assert fetched > 10_000


def _read_everything(entries):
    for name, body in entries:
        judge, readings = _judged(name, body)
        for path in ("/", "/a/b.html?x=1", "/%E9/x"):
            verdict = judge(path, "ExampleBot")
            assert verdict.evidence
            assert verdict.action in {Action.FETCH, Action.SKIP}
        rules = readings.rules
        assert rules.rule_count >= 0
        assert len(rules.ignored) <= 100
        assert rules.for_agent("*").judge("https://h/").explanation


def test_a_sample_of_the_real_files_is_read_without_a_crash():
    _read_everything(list(bodies().values())[::8])


@pytest.mark.long
def test_every_real_file_is_read_without_a_crash():
    assert len(bodies()) == 3_833
    _read_everything(bodies().values())


@pytest.mark.long
def test_every_real_file_cut_and_mangled_anywhere_is_read_without_a_crash():
    for _, body in bodies().values():
        for mangled in (
            body[len(body) // 2 :],
            body[: len(body) // 3],
            body.replace(b"\n", b"\x00"),
            body[::-1],
        ):
            parse_robots(mangled).judge("ExampleBot", "https://h/a")
