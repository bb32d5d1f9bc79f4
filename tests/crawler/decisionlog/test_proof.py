"""A proof convinces somebody who has a key and nothing else; anything that is not one convinces nobody."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.cli import main
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.notes import parse_vkey
from crawler.decisionlog.proof import ProofError, check
from crawler.decisionlog.prove import prove_host, prove_record
from crawler.decisionlog.tree import CompactRange, inclusion_proof, inclusion_ranges, root_of


@pytest.fixture
def proved(log):
    """A log of three runs, its key, and proofs of everything in it."""
    segments = [log.write(run_id=f"run-{number}").segment for number in range(3)]
    with log.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
        keys = [parse_vkey(leaf.event.vkey)]
        records = [prove_record(reader, segment, idx) for segment in segments for idx in range(10)]
        hosts = {
            host: prove_host(reader, host, segments[1])
            for host in ("a.example", "a.example.test", "aaa.test", "zzz.zzz", "example", "b.a.example")
        }
    return log, keys, records, hosts


def octets(proof):
    return json.dumps(proof).encode()


def test_every_record_is_proved_with_its_urls(proved):
    _, keys, records, _ = proved
    for proof in records:
        result = check(octets(proof), keys)
        fields = dict(result.fields)
        assert result.present
        assert result.about == f"{fields['segment']}#{fields['idx']}"
        if fields["stage"] != "run":
            assert fields["url"].startswith("http://a.example/page/")


def test_presence_and_absence_of_a_host_are_both_proved(proved):
    _, keys, _, hosts = proved
    assert {host: check(octets(proof), keys).present for host, proof in hosts.items()} == {
        "a.example": True, "a.example.test": False, "aaa.test": False, "zzz.zzz": False, "example": False,
        "b.a.example": False,
    }  # fmt: skip


def test_a_proof_without_opening_still_proves_the_record_and_no_url(proved):
    _, keys, records, _ = proved
    proof = copy.deepcopy(records[3])
    proof["record"]["opening"] = None
    assert "url" not in dict(check(octets(proof), keys).fields)


def leaves_of(value, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves_of(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves_of(inner, (*path, index))
    else:
        yield path, value


def with_value(proof, path, value):
    changed = copy.deepcopy(proof)
    at = changed
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return changed


def flipped(value, chance):
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 2**40))
    if value is None:
        return "00" * 16
    at = chance.randrange(len(value)) if value else 0
    letter = "1" if value[at : at + 1] != "1" else "2"
    return value[:at] + letter + value[at + 1 :]


def test_any_change_of_any_part_of_a_proof_is_noticed(proved):
    """What is displayed comes from what is hashed: a changed proof fails, or says exactly the same."""
    _, keys, records, hosts = proved
    chance = random.Random(7)
    tried = 0
    for proof in (records[4], records[17], *hosts.values()):
        truth = check(octets(proof), keys)
        for path, value in leaves_of(proof):
            for _ in range(12):
                changed = with_value(proof, path, flipped(value, chance))
                if changed == proof:
                    continue
                tried += 1
                try:
                    result = check(octets(changed), keys)
                except ProofError:
                    continue
                if path == ("host_key",):  # another host that is absent for the same reason
                    assert not result.present
                    assert result.about != truth.about
                else:
                    assert result == truth, path
    assert tried > 500


def test_proofs_of_two_places_cannot_be_mixed(proved):
    _, keys, records, hosts = proved
    for first, second in ((records[3], records[4]), (records[3], records[13]), (records[0], records[29])):
        for part in ("record", "segment"):
            with pytest.raises(ProofError):
                check(octets({**first, part: second[part]}), keys)
    with pytest.raises(ProofError):
        check(octets({**records[3], "registry": records[13]["registry"]}), keys)
    present, absent = hosts["a.example"], hosts["zzz.zzz"]
    with pytest.raises(ProofError):
        check(octets({**absent, "host_key": present["host_key"], "rows": []}), keys)
    with pytest.raises(ProofError):
        check(octets({**present, "host_key": "zzz.", "rows": []}), keys)


@pytest.mark.parametrize(
    "key",
    [
        "example.a",
        "EXAMPLE.A.",
        "example.A.",
        "example..a.",
        "example.a..",
        "[example.a].",
        ".",
        "",
        "[192.0.2.1",
    ],
)
def test_no_other_way_to_write_a_host_that_is_there_proves_its_absence(proved, key):
    """Between honest neighbours stand many texts that are no host key, and one of them reads as the host."""
    _, keys, _, hosts = proved
    for proof in hosts.values():
        with pytest.raises(ProofError):
            check(octets({**proof, "host_key": key}), keys)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless file here")
def test_a_file_that_never_ends_is_no_proof_and_is_not_read_to_its_end(proved, capsys):
    _, keys, _, _ = proved
    assert main(["log", "check", "/dev/zero", "--key", str(keys[0])]) == 4
    assert "has at most" in capsys.readouterr().err


def test_a_proof_needs_the_right_key(proved):
    log, _, records, _ = proved
    other = type(log)(log.path.parent / "other" if not (log.path.parent / "other").mkdir() else None)
    other.write()
    with other.reader() as reader:
        (leaf,) = reader.leaves({"key_add"})
    with pytest.raises(ProofError, match="no known key"):
        check(octets(records[0]), [parse_vkey(leaf.event.vkey)])
    with pytest.raises(ProofError):
        check(octets(records[0]), [])


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["schema", "record", "segment", "registry", "rows", "host_key", "body"]),
                inner,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=300)
def test_anything_else_is_a_prooferror(value):
    for schema in ("sekisho.record-proof/1", "sekisho.host-proof/1"):
        whole = {"schema": schema, **value} if isinstance(value, dict) else value
        with pytest.raises(ProofError):
            check(octets(whole), [])


@given(st.binary(max_size=200))
def test_octets_that_are_no_json_are_a_prooferror(value):
    with pytest.raises(ProofError):
        check(value, [])


def test_a_record_that_no_signed_root_covers_yet_has_no_proof(log, entry, documents):
    writer = log.open()
    writer.append(entry(), [documents["policy"], documents["blocklist"]], wait=True).result(10)
    with log.reader() as reader, pytest.raises(LogError, match="every ten seconds"):
        prove_record(reader, writer.segment, 0)
    writer.close(seal=True)
    with log.reader() as reader:
        assert prove_record(reader, writer.segment, 0)


@given(st.integers(1, 300).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1))))
def test_check_17_a_streamed_path_is_the_inclusion_proof(place):
    size, index = place
    leaves = [bytes([number % 256]) * 32 for number in range(size)]
    path = tuple(CompactRange(leaves[start:end]).root() for start, end in inclusion_ranges(size, index))
    assert path == inclusion_proof(leaves, index)
    assert root_of(leaves) == CompactRange(leaves).root()


def test_the_commands_give_a_proof_to_an_outsider(proved, tmp_path, capsys):
    log, keys, _, _ = proved
    with log.reader() as reader:
        segment = reader.segments()[1].segment
    target = tmp_path / "record.proof"
    assert main(["log", "prove", f"{str(segment)[:8]}#5", "--log", log.url, "--out", str(target)]) == 0
    assert main(["log", "prove", f"{segment}#5", "--log", log.url, "--out", str(target)]) == 2, (
        "never over a file"
    )
    capsys.readouterr()
    assert main(["log", "check", str(target), "--key", str(keys[0])]) == 0
    out = capsys.readouterr().out
    assert f"Proved: {segment}#5 is in the log" in out
    assert main(["log", "prove", "--host", "absent.test", "--segment", str(segment), "--log", log.url]) == 0
    target.write_text(capsys.readouterr().out)
    assert main(["log", "check", str(target), "--key", str(keys[0])]) == 0
    assert "is NOT in the log" in capsys.readouterr().out
    target.write_text(target.read_text().replace('"index": 0', '"index": 1'))
    assert main(["log", "check", str(target), "--key", str(keys[0])]) == 4
    assert "proves nothing" in capsys.readouterr().err
