"""What a log holds of a host or URL is found whatever its size, and what was pruned is never 'never crawled'."""

from __future__ import annotations

import contextlib
import json
from collections import Counter

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from blocklists.errors import UsageError
from crawler.cli import main
from crawler.decisionlog.canonical import canonical
from crawler.decisionlog.errors import IntegrityError
from crawler.decisionlog.lookup import lookup, parse_target
from crawler.decisionlog.rollup import host_key, host_of, pack_places, unpack_places
from policies.vocabulary import Stage

HOSTS = (
    "example.org",
    "www.example.org",
    "deep.www.example.org",
    "notexample.org",
    "example.org.evil.test",
    "xn--r8jz45g.jp",
)


@pytest.fixture
def asked(log, entry, documents):
    """Two sealed runs and an open one, with known counts by host."""
    docs = [documents["policy"], documents["blocklist"]]
    writer = None
    for run in range(3):
        writer = log.open(run_id=f"run-{run}")
        for number, host in enumerate(HOSTS):
            for page in range(number + 1):
                url = f"http://{host}/{page}"
                verdict = ("fetch", "allowed") if page % 2 == 0 else ("skip", "robots_disallow")
                writer.append(entry(host=host, url=url, verdict=verdict[0], reason=verdict[1]), docs)
                writer.append(
                    entry(host=host, url=url, stage=Stage.OUTCOME, verdict="received", reason="received"),
                    docs,
                )
        if run < 2:
            writer.close(seal=True)
    writer.append(
        entry(stage=Stage.RUN, verdict="note", host=None, url=None, method=""), docs, wait=True
    ).result(10)
    yield log
    writer.close(seal=True)


def ask(log, text):
    with log.reader() as reader:
        return lookup(reader, parse_target(text))


@pytest.mark.parametrize(
    ("target", "hosts"),
    [
        ("example.org", {"example.org": 1, "www.example.org": 2, "deep.www.example.org": 3}),
        ("www.example.org", {"www.example.org": 2, "deep.www.example.org": 3}),
        ("WWW.Example.ORG.", {"www.example.org": 2, "deep.www.example.org": 3}),
        ("org", {"example.org": 1, "www.example.org": 2, "deep.www.example.org": 3, "notexample.org": 4}),
        ("notexample.org", {"notexample.org": 4}),
        ("evil.test", {"example.org.evil.test": 5}),
        ("例え.jp", {"xn--r8jz45g.jp": 6}),
        ("ample.org", {}),
        ("absent.test", {}),
    ],
)
def test_check_25_hot_absent_subdomain_and_punycode_names_are_answered(asked, target, hosts):
    asked_for = Counter()
    for one in ask(asked, target).hosts:
        asked_for[one.host] += one.found.n_fetch + one.found.n_skip
    assert asked_for == Counter({host: 3 * count for host, count in hosts.items()})


def test_the_answer_says_state_run_policy_and_reasons(asked, documents):
    from hashlib import sha256

    answers = ask(asked, "deep.www.example.org").hosts
    assert [(one.run, one.state) for one in answers] == [
        ("run-0", "sealed"),
        ("run-1", "sealed"),
        ("run-2", "open"),
    ]
    for one in answers:
        assert one.found.reasons == (("allowed", 2), ("robots_disallow", 1))
        assert one.found.policies == (sha256(documents["policy"].body).hexdigest(),)
        assert one.found.first_us < one.found.last_us


@pytest.mark.parametrize("page", [0, 1, 2])
def test_every_record_of_a_url_is_found_and_no_other(asked, page):
    url = f"http://deep.www.example.org/{page}"
    answer = ask(asked, url)
    assert len(answer.records) == 6
    assert {record.url for record in answer.records} == {url}
    assert [record.ts_us for record in answer.records] == sorted(record.ts_us for record in answer.records)
    assert ask(asked, "http://deep.www.example.org/9").records == ()


def test_an_index_that_leaves_a_record_out_is_found_when_it_is_used(asked):
    connection = asked.unguarded()
    key = host_key("deep.www.example.org")
    (places,) = connection.execute(
        "SELECT places FROM posting WHERE segment_id = 1 AND host_key = ?", (key,)
    ).fetchone()
    for wrong in (
        pack_places([*unpack_places(places)][2:]),
        pack_places([0, *[*unpack_places(places)][1:]]),
        places[:-1] + b"\xff",
    ):
        connection.execute(
            "UPDATE posting SET places = ? WHERE segment_id = 1 AND host_key = ?", (wrong, key)
        )
        with pytest.raises(IntegrityError, match=r"index of deep\.www\.example\.org"):
            ask(asked, "http://deep.www.example.org/0")
    connection.execute("DELETE FROM posting")
    assert len(ask(asked, "http://deep.www.example.org/0").records) == 6, "without it the records are read"


def test_sums_that_were_changed_are_an_integrity_error(asked):
    asked.unguarded().execute("UPDATE rollup SET reasons = '{'")
    with pytest.raises(IntegrityError, match="were changed"):
        ask(asked, "example.org")


def test_a_log_of_format_1_is_looked_through(asked):
    asked.of_format_1()
    assert len(ask(asked, "http://deep.www.example.org/0").records) == 6


def test_what_names_no_host_is_refused(asked):
    for text in ("", "http://", "http://[::1", "a b", "..", "http:///path"):
        with pytest.raises(UsageError):
            ask(asked, text)


def test_the_command_tells_people_and_programs(asked, capsys):
    assert main(["log", "lookup", "example.org", "--log", asked.url]) == 0
    out = capsys.readouterr().out
    assert "example.org and hosts below it (3 segments searched): fetched 12, skipped 6" in out
    assert main(["log", "lookup", "absent.test", "--log", asked.url]) == 0
    assert "no decision about absent.test or a host below it (3 segments searched)" in capsys.readouterr().out
    url = "http://deep.www.example.org/1"
    assert main(["log", "lookup", url, "--log", asked.url, "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["records"]) == 6
    assert {record["reason"] for record in answer["records"]} == {"robots_disallow", "received"}


@given(st.lists(st.integers(0, 2**40), unique=True).map(sorted))
def test_places_are_packed_without_loss(places):
    assert list(unpack_places(pack_places(places))) == places


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.integers(0, 2**50), max_size=5),
)
def test_sums_are_canonical_json(host, reasons):
    value = {"host_key": host, "reasons": reasons, "n_fetch": len(reasons), "policies": [host, "a"]}
    assert canonical(value).encode() == rfc8785.dumps(value)


@given(st.binary(max_size=60))
def test_any_octets_are_places_or_a_valueerror(octets):
    with contextlib.suppress(ValueError):
        assert list(unpack_places(pack_places(unpack_places(octets)))) == list(unpack_places(octets))


@pytest.mark.parametrize("host", ["example.org", "a.b.c.d", "192.0.2.1", "2001:db8::1", "localhost"])
def test_a_host_key_stands_for_its_host(host):
    assert host_of(host_key(host)) == host
