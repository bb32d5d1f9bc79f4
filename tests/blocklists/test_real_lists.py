"""Published lists parse as they are, and block what they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocklists.entry import Match
from blocklists.formats.plain import parse_plain
from blocklists.snapshot import load_snapshot

LISTS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "blocklists"

pytestmark = pytest.mark.skipif(not LISTS.is_dir(), reason=f"published lists are not at {LISTS}")

HAGEZI = "hagezi-2025-11-16/anti.piracy.wildcard-onlydomains.txt"


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
def test_a_list_of_another_format_is_never_read_as_a_plain_one(name):
    parsed = parse(name)
    assert not parsed.rows
    assert len(parsed.rejected) > 1000


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
