"""Published lists read as they are, in every format, and decide what their publishers meant."""

from __future__ import annotations

import gzip
import random
import tomllib
from datetime import date
from pathlib import Path

import pytest

from blocklists.canaries import MUST_NOT_HAVE, Sign, judge_canaries
from blocklists.entry import Match, Weight
from blocklists.errors import ListError
from blocklists.formats.plain import parse_plain
from blocklists.known_good import known_good
from blocklists.matcher import DictMatcher, blocking_hits
from blocklists.profile import load_profile
from blocklists.snapshot import load_snapshot
from blocklists.source import ListFile, Manifest, build_source, load_source, parse_list

LISTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "blocklists"
SOURCES = Path(__file__).resolve().parents[2] / "blocklists" / "sources"

pytestmark = pytest.mark.skipif(not LISTS.is_dir(), reason=f"published lists are not at {LISTS}")

HAGEZI = "hagezi-2025-11-16/anti.piracy.wildcard-onlydomains.txt"
FIVE = {
    "plain": HAGEZI,
    "wildcard": "hagezi-2025-11-16/anti.piracy.wildcard.txt",
    "adblock": "hagezi-2025-11-16/anti.piracy.adblock.txt",
    "dnsmasq": "hagezi-2025-11-16/anti.piracy.dnsmasq.txt",
    "rpz": "hagezi-2025-11-16/anti.piracy.rpz.txt.gz",
}
PIRACY = {
    "plain": "blocklistproject-2026-07/piracy.domains.txt",
    "hosts": "blocklistproject-2026-07/piracy.hosts.txt",
    "adblock": "blocklistproject-2026-07/piracy.adguard.txt",
    "dnsmasq": "blocklistproject-2026-07/piracy.dnsmasq.txt",
}
TORRENT = {
    "plain": "blocklistproject-2026-07/torrent.domains.txt",
    "hosts": "blocklistproject-2026-07/torrent.hosts.txt",
    "adblock": "blocklistproject-2026-07/torrent.adguard.txt",
}
NEXTDNS = sorted(path.name for path in (LISTS / "nextdns-2023-01").glob("*-*")) if LISTS.is_dir() else []


def read(form, name, *, weight=Weight.OPERATOR, **more):
    manifest = Manifest(id="list", title="A published list", file="list", format=form, weight=weight, **more)
    file = ListFile(octets=(LISTS / name).read_bytes())
    return manifest, file, parse_list(manifest, file, where=name)


def load(form, name, **more):
    return build_source(*read(form, name, **more))


def matcher(*loaded):
    return DictMatcher.of([one.entries for one in loaded], [one.source for one in loaded])


def patterns(form, name):
    return set(read(form, name)[2].rows.patterns)


def parse(name):
    return parse_plain((LISTS / name).read_bytes(), scope=Match.SUBTREE)


@pytest.mark.parametrize(
    ("name", "total"),
    [
        (HAGEZI, 11_585),
        ("blocklistproject-2026-07/piracy.domains.txt", 2_154),
        ("blocklistproject-2026-07/torrent.domains.txt", 2_620),
        ("ut1-2026-08-17/warez/domains", 1_546),
        ("ut1-2026-08-17/manga/domains", 652),
        ("nextdns-2023-01/streaming-video", 1_085),
        ("nextdns-2023-01/torrent-websites", 1_266),
        ("nextdns-2023-01/file-hosting", 110),
        ("nextdns-2023-01/dht-bootstrap-nodes", 5),
    ],
)
def test_every_row_of_a_published_list_is_accounted_for(name, total):
    parsed = parse(name)
    assert parsed.total == total
    assert len(parsed.rejected) <= 0.01 * total
    assert len(parsed.rows) >= 0.97 * total


@pytest.mark.parametrize(
    "name",
    [
        "hagezi-2025-11-16/anti.piracy.adblock.txt",
        "hagezi-2025-11-16/anti.piracy.wildcard.txt",
        "blocklistproject-2026-07/piracy.hosts.txt",
    ],
)
@pytest.mark.parametrize("form", ["plain", "unbound", "rpz"])
def test_a_list_of_another_format_is_refused_and_never_guessed(form, name):
    with pytest.raises(ListError, match=r"more than|no entry"):
        read(form, name)


def test_hard_case_29_one_list_in_five_formats_is_one_set_with_one_count_in_its_header():
    sets = {form: patterns(form, name) for form, name in FIVE.items()}
    assert {len(names) for names in sets.values()} == {11_585}
    assert all(names == sets["plain"] for names in sets.values())
    for form, name in FIVE.items():
        parsed = read(form, name)[2]
        assert {row.match for row in parsed.rows} == {Match.SUBTREE}
        assert parsed.rejected == parsed.quarantined == ()


@pytest.mark.parametrize("files", [PIRACY, TORRENT], ids=["piracy", "torrent"])
def test_hard_case_29_the_other_project_writes_one_set_in_all_its_formats_too(files):
    sets = [patterns(form, name) for form, name in files.items()]
    assert all(names == sets[0] for names in sets)


def test_hard_case_29_every_format_decides_alike_on_ten_thousand_hosts():
    lists = {form: matcher(load(form, name)) for form, name in FIVE.items()}
    chosen = random.Random(29)
    listed = sorted(patterns("plain", HAGEZI))
    hosts = [f"www.{chosen.choice(listed)}" for _ in range(2_500)]
    hosts += [chosen.choice(listed) for _ in range(2_500)]
    hosts += [chosen.choice(listed).partition(".")[2] for _ in range(2_500)]
    hosts += [f"x{chosen.choice(listed)}" for _ in range(2_500)]
    plain = lists.pop("plain")
    named = [bool(plain.match(host, now_us=0)) for host in hosts]
    assert 5_000 <= sum(named) < 7_500
    for form, other in lists.items():
        assert [bool(other.match(host, now_us=0)) for host in hosts] == named, form


def test_hard_case_29_order_and_repetition_of_rows_change_no_set():
    octets = (LISTS / PIRACY["plain"]).read_bytes()
    rows = [line for line in octets.decode().split("\n") if line and not line.startswith("#")]
    random.Random(1).shuffle(rows)
    again = parse_plain("\n".join(rows + rows[:900]).encode(), scope=Match.SUBTREE)
    assert set(again.rows.patterns) == patterns("plain", PIRACY["plain"])
    assert again.duplicates == 900


def test_an_update_differs_by_what_its_publisher_changed():
    before = patterns("adblock", "hagezi-2025-11-05/anti.piracy.adblock.txt")
    after = patterns("adblock", "hagezi-2025-11-16/anti.piracy.adblock.txt")
    assert (len(before), len(after)) == (11_240, 11_585)
    assert (len(after - before), len(before - after)) == (383, 38)


def test_hard_case_24_a_body_cut_at_any_place_is_held_against_its_header(tmp_path):
    octets = (LISTS / FIVE["adblock"]).read_bytes()
    manifest = Manifest(id="a", title="a", file="a", format="adblock", weight=Weight.OPERATOR)
    for share in (0.2, 0.6, 0.99):
        cut = ListFile(octets=octets[: int(len(octets) * share)])
        with pytest.raises(ListError, match="its header says 11585 entries, but it holds"):
            parse_list(manifest, cut, where="a")
    packed = gzip.compress(octets)
    with pytest.raises(ListError, match="is cut short; fetch it again"):
        parse_list(manifest, ListFile(octets=packed[: len(packed) * 6 // 10]), where="a")


def test_hard_case_25_an_unbound_list_with_a_german_date_and_dotted_names_is_read_whole():
    parsed = read("unbound", "format-samples/hagezi-2022-personal.unbound.conf.gz")[2]
    assert len(parsed.rows) + len(parsed.quarantined) == 9_671
    assert parsed.rejected == ()
    assert parsed.rows[1].pattern == "01c54544-2.we-stats.com"


def test_hard_cases_13_and_14_a_ut1_folder_is_read_with_its_paths(tmp_path):
    (tmp_path / "manga").symlink_to(LISTS / "ut1-2026-08-17" / "manga")
    (tmp_path / "manga.toml").write_text(
        'id = "manga"\ntitle = "UT1"\nfile = "manga"\nformat = "ut1"\nweight = "operator"\n', encoding="utf-8"
    )
    loaded = load_source(tmp_path / "manga.toml")
    assert len(loaded.entries) + len(loaded.quarantined) + loaded.duplicates == 652 + 194
    lists = matcher(loaded)

    def named(host, url):
        return bool(lists.match(host, now_us=0, url=f"http://{host}{url}"))

    assert named("elcachondeo.cl", "/foro/forumdisplay.php?f=20")
    assert not named("elcachondeo.cl", "/foro/forumdisplay.php?f=21")
    assert named("fanfiction.net", "/anime/Naruto/")
    assert not named("fanfiction.net", "/book/")
    assert not named("www.fanfiction.net", "/anime/")


def test_entries_below_the_registrable_domain_block_themselves_and_no_neighbour(tmp_path):
    (tmp_path / "list.txt").write_bytes((LISTS / HAGEZI).read_bytes())
    (tmp_path / "list.toml").write_text(
        'id = "list"\ntitle = "A published list"\nfile = "list.txt"\nweight = "community"\n', encoding="utf-8"
    )
    snapshot = load_snapshot(tmp_path, now_us=0)
    deep = [row.pattern for row in parse(HAGEZI).rows if row.pattern.endswith(".blogspot.com")]
    assert len(deep) > 10
    for name in deep:
        assert snapshot.matcher.match(f"www.{name}", now_us=0)
    for neighbour in ("blogspot.com", "unlisted.blogspot.com", "example.org", "archive.org"):
        assert snapshot.matcher.match(neighbour, now_us=0) == ()


def listed_wrongly():
    """Which known names which published lists hold."""
    lists = {name: patterns("plain", name) for name in (HAGEZI, PIRACY["plain"], TORRENT["plain"])}
    lists["ut1"] = set(parse("ut1-2026-08-17/warez/domains").rows.patterns) | set(
        parse("ut1-2026-08-17/manga/domains").rows.patterns
    )
    for name in NEXTDNS:
        lists[name] = set(parse(f"nextdns-2023-01/{name}").rows.patterns)
    lists["warez"] = set(parse("nextdns-2023-01/warez").rows.patterns)
    return {known: {name for name, rows in lists.items() if known in rows} for known in known_good()}


def test_every_name_that_is_known_to_be_listed_wrongly_really_is_listed():
    assert [name for name, where in listed_wrongly().items() if not where] == []


@pytest.mark.parametrize("name", [HAGEZI, TORRENT["plain"]], ids=["hagezi", "torrent"])
def test_known_false_positives_are_held_in_a_community_list_under_every_profile(name):
    loaded = load("plain", name, weight=Weight.COMMUNITY, reviewed_on=date(2026, 1, 1))
    held = [problem for problem in loaded.quarantined if "list the name under another weight" in problem.why]
    wrong = set(known_good()) & patterns("plain", name)
    assert {problem.text for problem in held} == wrong
    assert len(wrong) > 8
    lists = matcher(loaded)
    for host in wrong:
        for profile in ("default", "eu-gpai", "jp-principle", "strict"):
            hits = lists.match(host, now_us=0)
            assert blocking_hits(hits, weights=load_profile(profile)) == ()


def test_a_community_list_flags_under_the_profiles_that_want_a_finding_or_a_review():
    unreviewed = matcher(load("plain", HAGEZI, weight=Weight.COMMUNITY))
    hits = unreviewed.match("www.thepiratebay.org", now_us=0)
    assert len(hits) == 1
    assert blocking_hits(hits, weights=load_profile("eu-gpai")) == ()
    assert blocking_hits(hits, weights=load_profile("jp-principle")) == ()
    assert blocking_hits(hits, weights=load_profile("strict")) == hits
    reviewed = matcher(load("plain", HAGEZI, weight=Weight.COMMUNITY, reviewed_on=date(2026, 1, 1)))
    hits = reviewed.match("www.thepiratebay.org", now_us=0)
    assert blocking_hits(hits, weights=load_profile("jp-principle")) == hits


@pytest.mark.parametrize(
    ("source", "form", "name", "fallen"),
    [
        ("hagezi-anti-piracy", "dnsmasq", FIVE["dnsmasq"], []),
        ("blocklistproject-piracy", "adblock", PIRACY["adblock"], []),
        (
            "blocklistproject-torrent",
            "adblock",
            TORRENT["adblock"],
            ["archive.org", "gutenberg.org", "nasa.gov"],
        ),
        ("nextdns-torrent-websites", "plain", "nextdns-2023-01/torrent-websites", []),
        ("nextdns-streaming-video", "plain", "nextdns-2023-01/streaming-video", []),
    ],
)
def test_hard_case_28_the_canaries_of_a_source_pass_an_honest_list_and_hold_a_wrong_one(
    source, form, name, fallen
):
    definition = tomllib.loads((SOURCES / f"{source}.toml").read_text(encoding="utf-8"))
    assert definition["format"] == form
    problems = judge_canaries(
        read(form, name)[2].rows,
        must_have=definition["must_have"],
        must_not_have={*MUST_NOT_HAVE, *definition["must_not_have"]},
    )
    assert sorted(problem.name for problem in problems) == fallen
    assert {problem.sign for problem in problems} <= {Sign.UNWANTED}
