"""One malformed row of each kind that the formats name: told with its line, and never a shorter list unseen.

In a list of a hundred good rows it is reported and left out; beside a single good row it is too much, the list
is refused, and the state that was in force before stays.
"""

from __future__ import annotations

import pytest

from blocklists import store
from blocklists.errors import ListError
from blocklists.snapshot import load_snapshot
from blocklists.store_build import build_snapshot

GOOD = {
    "plain": "good{}.example",
    "hosts": "0.0.0.0 good{}.example",
    "adblock": "||good{}.example^",
    "wildcard": "*.good{}.example",
    "dnsmasq": "local=/good{}.example/",
    "unbound": 'local-zone: "good{}.example." always_null',
    "rpz": "good{}.example CNAME .",
    "csv": "good{}.example,A",
    "native": '{{"pattern":"good{}.example"}}',
}
BAD = [
    # format, the row
    ("plain", "two names.example"),
    ("plain", "xn--a.example"),
    ("plain", "a..b.example"),
    ("plain", "bad\x00.example"),
    ("plain", "https://bad.example/path"),
    ("plain", "x" * 64 + ".example"),
    ("plain", "1.2.3.999"),
    ("hosts", "93.184.216.34 bad.example"),
    ("hosts", "bad.example"),
    ("adblock", "example.com##.banner"),
    ("adblock", "/bad[0-9]+/"),
    ("adblock", "||bad.example^$domain=other.example"),
    ("adblock", "bad"),
    ("adblock", "||bad.example/path"),
    ("wildcard", "bad.example"),
    ("wildcard", "*bad.example"),
    ("dnsmasq", "server=/bad.example/1.2.3.4"),
    ("dnsmasq", "address=/bad.example/93.184.216.34"),
    ("dnsmasq", "cname=bad.example,other.example"),
    ("unbound", 'local-zone: "bad.example." transparent'),
    ("unbound", 'local-data: "bad.example. A 1.2.3.4"'),
    ("rpz", "32.4.3.2.1.rpz-ip CNAME ."),
    ("rpz", "ns.bad.example.rpz-nsdname CNAME ."),
    ("rpz", "bad.example CNAME garden.example."),
    ("rpz", "bad.example A 1.2.3.4"),
    ("csv", "bad.example"),
    ("csv", "bad.example,A,B"),
    ("csv", ",A"),
    ("native", '{"pattern":"bad.example","unknown":1}'),
    ("native", '{"pattern":1}'),
    ("native", "[]"),
    ("native", "{"),
    ("native", '{"pattern":"bad.example","valid_until":"soon"}'),
]
TOO_WIDE = [
    ("plain", "com"), ("plain", "blogspot.com"), ("plain", "zip"), ("adblock", "||zip^"), ("adblock", "||github.io^"),
    ("adblock", "@@||edu^"), ("wildcard", "*.edu"), ("rpz", "*.com CNAME ."), ("dnsmasq", "local=/co.jp/"),
    ("unbound", 'local-zone: "com." always_null'), ("hosts", "0.0.0.0 com"), ("csv", "com,A"),
    ("native", '{"pattern":"com"}'),
]  # fmt: skip


def put(folder, form, rows):
    folder.mkdir(exist_ok=True)
    columns = '\n[columns]\npattern = "name"\nauthority = "who"\n' if form == "csv" else ""
    (folder / "a.toml").write_text(
        f'id = "a"\ntitle = "a"\nfile = "a.txt"\nweight = "operator"\nformat = "{form}"\n{columns}'
    )
    head = "name,who\n" if form == "csv" else ""
    (folder / "a.txt").write_text(head + "\n".join(rows) + "\n")
    return 2 if head else 1


def build(folder):
    with store.locked(folder):
        return build_snapshot(folder, now_us=0)


@pytest.mark.parametrize(("form", "row"), BAD)
def test_a_malformed_row_is_told_with_its_line_or_refuses_the_list_and_the_last_good_state_stays(
    tmp_path, form, row
):
    folder = tmp_path / "lists"
    good = [GOOD[form].format(number) for number in range(150)]
    first = put(folder, form, [*good, row])
    built = build(folder)
    snapshot = load_snapshot(folder, now_us=0)
    (notice,) = snapshot.notices
    assert notice.startswith(f"list a: a.txt:{first + 150} ")
    assert len(notice.partition(" rejected: ")[2]) > 10, notice  # it says why
    assert len(snapshot.matcher) == 150
    assert not snapshot.matcher.match("bad.example", now_us=0)

    put(folder, form, [good[0], row])
    with pytest.raises(ListError) as refused:
        build(folder)
    message = str(refused.value)
    assert message.startswith(f"{folder / 'a.txt'}: 1 of 2 rows are not understood, more than 1%")
    assert f"line {first + 1}: " in message
    assert store.read_current(folder) == built.sha256
    put(folder, form, [*good, row])  # as it was
    assert load_snapshot(folder, now_us=0).matcher.match("good7.example", now_us=0)


@pytest.mark.parametrize(("form", "row"), TOO_WIDE)
def test_hard_case_5_a_row_that_covers_strangers_is_told_with_its_line_and_not_applied(tmp_path, form, row):
    folder = tmp_path / "lists"
    first = put(folder, form, [GOOD[form].format(0), row])
    build(folder)
    snapshot = load_snapshot(folder, now_us=0)
    (notice,) = snapshot.notices
    assert notice.startswith(f"list a: a.txt:{first + 1} ")
    assert "quarantined: " in notice
    for host in ("example.com", "shop.blogspot.com", "a.zip", "x.github.io", "school.edu", "firm.co.jp"):
        assert not snapshot.matcher.match(host, now_us=0)
    put(folder, form, [row])
    with pytest.raises(ListError, match="holds no entry that can be applied"):
        build(folder)
    assert store.read_current(folder) == snapshot.sha256


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "a.txt").unlink(), "does not exist, but a.toml names it"),
        (lambda folder: (folder / "a.toml").write_text("id ="), "is not valid TOML"),
        (lambda folder: (folder / "b.txt").write_text("x.example\n"), "no manifest names this file"),
        (
            lambda folder: (folder / "a.toml").write_text(
                f'id = "a"\ntitle = "a"\nfile = "a.txt"\nweight = "operator"\nsha256 = "{"0" * 64}"\n'
            ),
            "but a.toml pins 0000",
        ),
        (
            lambda folder: (folder / "a.toml").write_text(
                'id = "a"\ntitle = "a"\nfile = "a.txt"\nweight = "operator"\nformat = "rpz"\n'
            ),
            "150 of 150 rows are not understood, more than 1%; is the format of the manifest right?",
        ),
    ],
    ids=["missing", "toml", "stray", "pin", "format"],
)
def test_a_manifest_that_does_not_match_its_files_is_told_and_the_last_good_state_stays(
    tmp_path, change, words
):
    folder = tmp_path / "lists"
    put(folder, "plain", [GOOD["plain"].format(number) for number in range(150)])
    built = build(folder)
    change(folder)
    with pytest.raises(ListError) as refused:
        build(folder)
    assert words in str(refused.value)
    assert str(folder) in str(refused.value)
    assert store.read_current(folder) == built.sha256
    assert store.unfinished(folder) == ()
