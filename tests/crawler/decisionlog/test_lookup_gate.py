"""A look-up answers all that is asked of it, with its proof, and in the time that it may take."""

from __future__ import annotations

import json
import shutil
import time
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from crawler.cli import main
from crawler.decisionlog.lookup import lookup, parse_target
from crawler.decisionlog.notes import parse_vkey
from crawler.decisionlog.proof import check
from crawler.decisionlog.prove import prove_host
from tests.crawler.decisionlog.conftest import LISTS, POLICY, Log, make_entry

ROOT = Path(__file__).resolve().parents[3]
HOSTS = 2_000
SEGMENTS = 4
RECORDS = 8_000  # a segment
GATE_MS = 100.0
HALF_A_YEAR = 1_800_000_000_000_000 + 180 * 86_400 * 10**6


def host_named(number):
    if number % 5 == 0:
        return f"例え{number}.jp".encode("idna").decode()
    return f"{'www.' if number % 3 else 'deep.news.'}site-{number}.example"


def write(log, records, segments):
    """Few hosts often, most seldom; every fifth has a name that is not ASCII."""
    chance = Random(25)
    for run in range(segments):
        writer = log.open(run_id=f"run-{run}", retention="trial" if run == 0 else "default")
        documents = (POLICY, LISTS)
        for number in range(records):
            host = host_named(min(chance.randrange(HOSTS), chance.randrange(HOSTS), chance.randrange(HOSTS)))
            fetched = number % 4 != 0
            writer.append(
                make_entry(
                    host=host, url=f"https://{host}/{number % 20}", verdict="fetch" if fetched else "skip",
                    reason="allowed" if fetched else "robots_disallow",
                ),
                documents,
            )  # fmt: skip
            documents = ()
        assert writer.close(seal=True) is not None, writer.failed


@pytest.fixture(scope="module")
def crawled(tmp_path_factory):
    log = Log(tmp_path_factory.mktemp("crawled"))
    write(log, RECORDS, SEGMENTS)
    return log


def asked(chance, kind):
    number = chance.randrange(HOSTS)
    return {
        "hot": lambda: host_named(chance.randrange(1, 5)),
        "absent": lambda: f"absent-{number}.example",
        "subdomain": lambda: f"site-{number - number % 5 + 1}.example",
        "punycode": lambda: host_named(number - number % 5),
        "not ASCII": lambda: f"例え{number - number % 5}.jp",
        "URL": lambda: f"https://{host_named(number)}/{number % 20}",
    }[kind]()


KINDS = ("hot", "absent", "subdomain", "punycode", "not ASCII", "URL")


@pytest.mark.parametrize("kind", KINDS)
def test_check_25_a_look_up_takes_less_than_a_tenth_of_a_second_of_the_processor(crawled, kind):
    """Nothing in it grows with the log but the segments of its answer: `bench_lookup.py` measures large ones."""
    chance, times, found = Random(kind), [], 0
    with crawled.reader() as reader:
        lookup(reader, parse_target("warm.example"))
        for _ in range(100):
            text = asked(chance, kind)
            started = time.process_time()
            answer = lookup(reader, parse_target(text))
            times.append((time.process_time() - started) * 1e3)
            found += bool(answer.hosts)
    assert found == 0 if kind == "absent" else found > 50
    assert sorted(times)[98] < GATE_MS, sorted(times)[-3:]


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("例え5.jp", "xn--5-87t231j.jp"),
        ("site-1.example", "www.site-1.example"),
        ("site-3.example", "deep.news.site-3.example"),
    ],
)
def test_check_25_the_answer_gives_when_policy_and_reason_and_its_proof_holds(crawled, text, host, capsys):
    assert main(["log", "lookup", text, "--log", crawled.url, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (keys,) = ([leaf.event.vkey for leaf in reader.leaves({"key_add"})] for reader in [crawled.reader()])
    assert len(answer["hosts"]) == SEGMENTS
    for one in answer["hosts"]:
        assert one["host"] == host
        assert one["policies"] == [sha256(POLICY.body).hexdigest()]
        assert set(one["reasons"]) <= {"allowed", "robots_disallow"}
        assert (one["fetch"], one["skip"]) == tuple(
            one["reasons"].get(reason, 0) for reason in ("allowed", "robots_disallow")
        )
        assert one["first"] < one["last"]
    with crawled.reader() as reader:
        segments = {str(info.segment) for info in reader.segments()}
        assert {one["segment"] for one in answer["hosts"]} == segments
        for info in reader.segments():
            for name, present in ((host, True), (f"absent.{host}", False)):
                proof = json.dumps(prove_host(reader, name, info.segment)).encode()
                proved = check(proof, [parse_vkey(key) for key in keys])
                assert (proved.present, host in proved.about) == (present, True)


def test_check_25_what_was_pruned_is_said_to_be_with_its_day_and_rule_and_was_never_not_crawled(
    crawled, tmp_path, monkeypatch, capsys
):
    for path in crawled.path.parent.iterdir():
        shutil.copy(path, tmp_path / path.name)
    log = Log(tmp_path)
    monkeypatch.setattr("crawler.decisionlog.clock.SystemClock.now_us", lambda _: HALF_A_YEAR)
    schedule = str(ROOT / "policies" / "retention.toml")
    assert (
        main(["retention", "apply", "--schedule", schedule, "--log", log.url, "--actor", "t", "--yes"]) == 0
    )
    capsys.readouterr()
    for text in ("例え5.jp", "site-1.example"):
        assert main(["log", "lookup", text, "--log", log.url]) == 0
        out = capsys.readouterr().out
        assert "was pruned on 2027-07-14" in out
        assert "under rule trial P90D" in out
        assert "no decision about" not in out
    assert main(["log", "lookup", "absent.example", "--log", log.url]) == 0
    assert "no decision about" in capsys.readouterr().out
