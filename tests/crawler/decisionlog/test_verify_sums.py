"""The sums by host that a verification makes are those of a seal, whatever the records, and a changed one is found."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from crawler.decisionlog.findings import Problem
from crawler.decisionlog.rollup import STORED, Group, row_body, row_leaf, sums
from crawler.decisionlog.verify import verify_log
from crawler.decisionlog.verify_sums import HostSums
from policies.vocabulary import Stage

KINDS = st.tuples(
    st.sampled_from(["a.example", "b.a.example", "192.0.2.1", "例え.jp", "xn--r8jz45g.jp"]),
    st.sampled_from([("request", "fetch"), ("request", "skip"), ("response", "keep"), ("outcome", "received")]),
    st.sampled_from(["allowed", "robots_disallow"]),
    st.sampled_from([b"\1" * 32, b"\2" * 32]),
)  # fmt: skip


@given(st.lists(st.tuples(KINDS, st.integers(0, 50)), max_size=40), st.integers(1, 7))
def test_what_is_counted_page_by_page_is_what_the_groups_of_a_database_give(records, size):
    counted = HostSums()
    groups = []
    for start in range(0, len(records), size):
        page = list(enumerate(records[start : start + size], start))
        for policy in dict.fromkeys(kind[3] for _, (kind, _) in page):
            own = [(idx, record) for idx, record in page if record[0][3] == policy]
            counted.take(
                [idx for idx, _ in own],
                [ts for _, (_, ts) in own],
                [kind[0].encode() for _, (kind, _) in own],
                [counted.group(policy, *map(str.encode, (*kind[1], kind[2]))) for _, (kind, _) in own],
            )
        groups += [
            Group(kind[0], *kind[1], kind[2], kind[3], 1, ts, ts, idx, idx) for idx, (kind, ts) in page
        ]
    assert list(counted.rows()) == [one.row for one in sums(groups)]


@given(st.lists(KINDS, min_size=1, max_size=5))
def test_what_is_hashed_of_a_row_is_canonical_json(kinds):
    for one in sums(Group(kind[0], *kind[1], kind[2], kind[3], 2, 5, 6, 7, 8) for kind in kinds):
        members = {name: getattr(one, name) for name in STORED}
        members |= {"reasons": dict(one.reasons), "policies": list(one.policies)}
        assert one.body == row_body(one.row) == rfc8785.dumps(members)


@pytest.mark.parametrize("at", range(len(STORED)))
def test_a_cell_that_no_writer_writes_has_no_leaf(at):
    (good,) = (
        one.row
        for one in sums([Group("a.example", "request", "fetch", "allowed", b"\1" * 32, 1, 2, 3, 4, 5)])
    )
    row_leaf(good)
    for wrong in (None, 1.0, True, b"a", '{"a": 1}', "\udc80"):
        cells = list(good)
        cells[at] = wrong
        if STORED[at] == "host_key" and not (isinstance(wrong, bytes) or wrong == "\udc80"):
            assert row_leaf(tuple(cells)) != row_leaf(good)
        else:
            with pytest.raises((TypeError, ValueError)):
                row_leaf(tuple(cells))


def write_two_hosts(log, entry, documents):
    writer = log.open()
    for number in range(12):
        host = ("a.example", "b.example")[number % 2]
        writer.append(
            entry(host=host, url=f"http://{host}/{number}"), [documents["policy"], documents["blocklist"]]
        )
    writer.append(entry(stage=Stage.RUN, verdict="note", host=None, url=None, method=""))
    writer.close(seal=True)


@pytest.mark.parametrize(
    "change",
    [
        *(f"UPDATE rollup SET {name} = {name} + 1 WHERE host_key = 'example.b.'" for name in STORED[1:6] + STORED[8:]),
        "UPDATE rollup SET reasons = '{\"allowed\":5}' WHERE host_key = 'example.b.'",
        "UPDATE rollup SET policies = '[]' WHERE host_key = 'example.b.'",
        "UPDATE rollup SET host_key = 'example.c.' WHERE host_key = 'example.b.'",
        "DELETE FROM rollup WHERE host_key = 'example.b.'",
        "INSERT INTO rollup SELECT '', segment_id, 0,0,0,0,0,'{}','[]',0,0,0,0 FROM rollup LIMIT 1",
    ],
)  # fmt: skip
def test_every_change_of_a_sum_is_found(log, entry, documents, change):
    write_two_hosts(log, entry, documents)
    log.unguarded().execute(change)
    with log.reader() as reader:
        (finding,) = verify_log(reader).findings
    assert finding.problem is Problem.ROLLUP_WRONG


@pytest.mark.parametrize("wrong", ["host", "last_us", "counted", "policy"])
def test_sums_that_a_writer_sealed_and_the_records_do_not_give_are_found(
    log, entry, documents, wrong, monkeypatch
):
    """The seal's root fits: somebody with the key wrote it."""
    from crawler.decisionlog import survey

    before = survey.sum_of

    def forged(key, groups):
        true = before(key, groups)
        from dataclasses import replace

        match wrong:
            case "host":
                return replace(true, host_key=true.host_key.replace("b", "c"))
            case "last_us":
                return replace(true, last_us=true.last_us + 1)
            case "counted":
                return replace(true, n_skip=1)
        return replace(true, policies=())

    monkeypatch.setattr(survey, "sum_of", forged)
    write_two_hosts(log, entry, documents)
    with log.reader() as reader:
        report = verify_log(reader)
    assert [finding.text for finding in report.findings] == ["its sums by host are not those of its records"]


@pytest.mark.parametrize("host", ["a.example", None])
def test_a_run_that_ends_while_its_log_is_verified_is_no_finding(log, entry, documents, host):
    """Its sums are written when it is sealed: the registry as it was read has no seal with their root."""
    writer = log.open()
    url = None if host is None else "http://a.example/"
    writer.append(entry(host=host, url=url), documents.values(), wait=True).result(10)
    seen = []

    def end(records):
        if not seen:
            writer.close(seal=True)
        seen.append(records)

    with log.reader() as reader:
        report = verify_log(reader, end)
        assert seen
        assert report.findings == ()
        assert not report.segments[0].sealed
        assert verify_log(reader).segments[0].sealed


def test_sums_of_a_run_that_is_open_are_found(log, entry, documents):
    writer = log.open()
    writer.append(entry(), documents.values(), wait=True).result(10)
    row = "'example.a.', 1, 1, 0, 0, 0, 0, '{\"allowed\":1}', '[]', 1, 1, 0, 0"
    connection = log.raw()
    connection.execute(f"INSERT INTO rollup VALUES ({row})")
    with log.reader() as reader:
        assert {finding.problem for finding in verify_log(reader).findings} == {Problem.ROLLUP_WRONG}
    writer.close(seal=False)
