"""The published change notice: valid feeds, two complete languages, hostile text inert, the same octets twice."""

from __future__ import annotations

import json
import re
import tomllib
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
import rfc8785

from blocklists.errors import ExitCode
from crawler import cli
from exporters.notice.entries import EntryKind, NoticeError, load_entries
from exporters.notice.render import ATOM, notice_files
from policies.agents import load_agent

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / "policies" / "agents" / "examplebot.toml").read_text(encoding="utf-8")
SECOND = (
    EXAMPLE.replace("version = 1\n", "version = 2\n")
    .replace("effective_from = 2025-04-01", "effective_from = 2026-12-01")
    .replace('["ai-training"]', '["ai-training", "research"]')
)
FRAGMENT = """\
schema = "sekisho.change/1"
token = "ExampleBot"
version_from = 1
version_to = 2
published = 2026-11-01
effective_from = 2026-12-01
what = { en = "Research is a purpose.", ja = "研究を目的に加えます。" }
why = { en = "A group joined.", ja = "研究グループが加わりました。" }
site_owners = { en = "Nothing.", ja = "対応は不要です。" }
"""
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BASE_URL = "https://crawler.example.com/bot/"


def put(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    put(tmp_path, "agents/examplebot.toml", EXAMPLE)
    put(tmp_path, "agents/upcoming/examplebot.toml", SECOND)
    put(tmp_path, "changes/2026-11-01-research.toml", FRAGMENT)
    return tmp_path


def files(folder: Path, base_url: str = BASE_URL, now: datetime = NOW) -> dict[str, bytes]:
    return notice_files(load_entries(folder), (load_agent(folder).policy,), base_url, now)


def feed(folder: Path, **options: object) -> ET.Element:
    return ET.fromstring(files(folder, **options)["changes.atom"])


def find(element: ET.Element, name: str) -> list[ET.Element]:
    return element.findall(f"{{{ATOM}}}{name}")


def text_of(element: ET.Element, name: str) -> str:
    (only,) = find(element, name)
    return only.text or ""


class Page(HTMLParser):
    """What a browser would see: elements, attributes, text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(page.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_first_publication_is_a_baseline_not_a_change(tmp_path):
    put(tmp_path, "agents/examplebot.toml", EXAMPLE)
    (entry,) = load_entries(tmp_path)
    assert (entry.kind, entry.version_from, entry.version_to, entry.differences) == (
        EntryKind.BASELINE,
        None,
        1,
        None,
    )


def test_an_announced_change_is_published_before_it_takes_effect(folder):
    newest, baseline = load_entries(folder)
    assert (newest.kind, newest.version_from, newest.version_to) == (EntryKind.CHANGED, 1, 2)
    assert newest.lead_days == 30
    assert [change.field for change in newest.differences] == ["purposes"]
    assert baseline.kind is EntryKind.BASELINE


def test_a_change_without_its_reason_is_not_published(folder):
    (folder / "changes" / "2026-11-01-research.toml").unlink()
    with pytest.raises(NoticeError, match="version 2 of ExampleBot has no change fragment"):
        load_entries(folder)


def test_an_agent_that_vanished_is_not_passed_over(folder):
    put(folder, "agents/history/examplebot/1.toml", EXAMPLE)
    put(folder, "agents/history/examplebot/2.toml", SECOND)
    put(folder, "agents/otherbot.toml", EXAMPLE.replace("ExampleBot", "OtherBot"))
    (folder / "agents" / "examplebot.toml").unlink()
    with pytest.raises(NoticeError, match='kind = "withdrawn"'):
        load_entries(folder)
    text = FRAGMENT.replace("version_from = 1\nversion_to = 2", 'kind = "withdrawn"\nversion_from = 2')
    put(folder, "changes/2026-11-10-end.toml", text.replace("2026-11-01", "2026-11-10"))
    newest = load_entries(folder)[0]
    assert (newest.kind, newest.version_from, newest.version_to) == (EntryKind.WITHDRAWN, 2, None)


def test_a_correction_points_both_ways_and_edits_nothing(folder):
    before = feed(folder)
    text = FRAGMENT.replace("= 2026-11-01", "= 2026-11-02") + 'supersedes = "2026-11-01-research.toml"\n'
    put(folder, "changes/2026-11-02-research.toml", text)
    newest, old, _ = load_entries(folder)
    assert newest.supersedes == "2026-11-01-research.toml"
    assert old.superseded_by == "2026-11-02-research.toml"
    after = {text_of(entry, "id"): ET.tostring(entry) for entry in find(feed(folder), "entry")}
    assert all(after[text_of(entry, "id")] == ET.tostring(entry) for entry in find(before, "entry"))
    page = Page(files(folder)["changes.en.html"])
    assert "Superseded by a later announcement." in page.text


def test_a_correction_of_nothing_is_refused(folder):
    put(folder, "changes/2026-11-01-research.toml", FRAGMENT + 'supersedes = "2026-10-01-gone.toml"\n')
    with pytest.raises(NoticeError, match=r"supersedes 2026-10-01-gone\.toml, which is not there"):
        load_entries(folder)


def test_rfc4287_the_feed_has_what_a_feed_must_have(folder):
    root = feed(folder)
    assert root.tag == f"{{{ATOM}}}feed"
    for element in (root, *find(root, "entry")):
        for name in ("id", "title", "updated"):
            assert text_of(element, name)
        assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", text_of(element, "id"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text_of(element, "updated"))
        assert [text_of(author, "name") for author in find(element, "author")] == ["Example Corporation"]
    assert [link.get("href") for link in find(root, "link") if link.get("rel") == "self"] == [
        f"{BASE_URL}changes.atom"
    ]
    assert text_of(root, "updated") == max(text_of(entry, "updated") for entry in find(root, "entry"))


def test_rfc4287_no_two_alternates_share_type_and_language(folder):
    for element in (feed(folder), *find(feed(folder), "entry")):
        pairs = [
            (x.get("type"), x.get("hreflang")) for x in find(element, "link") if x.get("rel") == "alternate"
        ]
        assert len(pairs) == len(set(pairs)) == 2


def test_identifiers_do_not_depend_on_address_time_or_later_entries(folder):
    ids = [text_of(entry, "id") for entry in find(feed(folder), "entry")]
    assert len(set(ids)) == 2
    later = datetime(2030, 1, 1, tzinfo=UTC)
    assert [text_of(e, "id") for e in find(feed(folder, base_url="", now=later), "entry")] == ids
    third = SECOND.replace("version = 2\n", "version = 3\n").replace("2026-12-01", "2027-02-01")
    put(folder, "agents/history/examplebot/1.toml", EXAMPLE)
    put(folder, "agents/examplebot.toml", SECOND)
    put(folder, "agents/upcoming/examplebot.toml", third)
    text = FRAGMENT.replace("version_from = 1\nversion_to = 2", "version_from = 2\nversion_to = 3")
    put(
        folder,
        "changes/2026-11-20-more.toml",
        text.replace("2026-11-01", "2026-11-20").replace("2026-12-01", "2027-02-01"),
    )
    assert [text_of(entry, "id") for entry in find(feed(folder), "entry")][1:] == ids


def test_entries_in_the_feed_do_not_change_when_their_day_comes(folder):
    before, after = feed(folder), feed(folder, now=datetime(2027, 6, 1, tzinfo=UTC))
    assert ET.tostring(before) == ET.tostring(after)


def test_the_same_files_and_time_give_the_same_octets(folder):
    assert files(folder) == files(folder)


def test_each_page_is_in_its_language_and_leads_to_the_other(folder):
    english, japanese = (Page(files(folder)[f"changes.{language}.html"]) for language in ("en", "ja"))
    assert ("lang", "en") in english.attributes
    assert ("lang", "ja") in japanese.attributes
    assert ("href", "changes.ja.html") in english.attributes
    assert ("href", "changes.en.html") in japanese.attributes
    assert "Research is a purpose." in english.text
    assert "A group joined." in english.text
    assert "研究を目的に加えます。" in japanese.text
    assert "株式会社エグザンプル" in japanese.text
    assert "2026年12月1日" in japanese.text
    assert "December 1, 2026" in english.text
    assert "研究を目的に加えます。" not in english.text


def test_a_page_needs_nothing_from_elsewhere(folder):
    page = Page(files(folder)["changes.en.html"])
    assert not {"script", "img", "iframe", "object"} & set(page.tags)
    assert not [value for name, value in page.attributes if name == "src" or name.startswith("on")]


def test_what_widens_is_marked(folder):
    page = Page(files(folder)["changes.en.html"])
    assert "Collects more than before" in page.text
    assert "ins" in page.tags
    assert "not in force yet" in page.text
    later = Page(files(folder, now=datetime(2026, 12, 1, tzinfo=UTC))["changes.en.html"])
    assert "not in force yet" not in later.text


HOSTILE = "</style><script>alert(1)</script>\\\"'><img src=x onerror=alert(1)>{{ 7*7 }}]]>&amp;"


def test_hostile_text_is_shown_and_never_obeyed(folder):
    put(
        folder,
        "changes/2026-11-01-research.toml",
        FRAGMENT.replace("A group joined.", HOSTILE).replace("Nothing.", HOSTILE),
    )
    put(folder, "agents/examplebot.toml", EXAMPLE.replace("Example Corporation", HOSTILE))
    put(folder, "agents/upcoming/examplebot.toml", SECOND.replace("Example Corporation", HOSTILE))
    shown = tomllib.loads(f'x = "{HOSTILE}"')["x"]
    page = Page(files(folder)["changes.en.html"])
    assert shown in page.text
    assert not {"script", "img"} & set(page.tags)
    for entry in find(feed(folder), "entry"):
        content = Page(text_of(entry, "content").encode())
        assert not {"script", "img"} & set(content.tags)
    for item in json.loads(files(folder)["changes.json"])["items"]:
        assert not {"script", "img"} & set(Page(item["content_html"].encode()).tags)


def test_the_json_feed_says_what_the_fragment_says(folder):
    document = json.loads(files(folder)["changes.json"])
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["feed_url"] == f"{BASE_URL}changes.json"
    item = document["items"][0]
    assert item["_sekisho"]["why"] == {"en": "A group joined.", "ja": "研究グループが加わりました。"}
    assert item["_sekisho"]["effective_from"] == "2026-12-01"
    assert {item["id"] for item in document["items"]} == {
        text_of(entry, "id") for entry in find(feed(folder), "entry")
    }


def test_the_differences_are_canonical_json_with_the_digests_of_both_files(folder):
    body = files(folder)["diff-examplebot-2026-11-01-research.json"]
    document = json.loads(body)
    assert rfc8785.dumps(document) == body
    assert document["schema"] == "sekisho.policy-diff/1"
    assert document["sha256_from"] == load_agent(folder).sha256
    (row,) = document["differences"]
    assert (row["field"], row["added"], row["removed"]) == ("purposes", ["research"], [])


def test_both_languages_have_the_same_words():
    words = tomllib.loads((ROOT / "exporters" / "notice" / "wording.toml").read_text(encoding="utf-8"))
    assert set(words) == {"en", "ja"}
    assert words["en"].keys() == words["ja"].keys()
    for key, english in words["en"].items():
        assert set(re.findall(r"{\w+}", english)) >= set(re.findall(r"{\w+}", words["ja"][key])), key


def build(*arguments: str) -> int:
    return cli.main(["notice", "build", *arguments])


def test_the_command_writes_every_file_and_names_it(folder, tmp_path, capsys):
    out = tmp_path / "public" / "bot"
    assert (
        build(
            "--policies", str(folder), "--out", str(out), "--at", "2026-11-21T12:00:00Z", "--format", "jsonl"
        )
        == 0
    )
    named = {Path(json.loads(line)["file"]).name for line in capsys.readouterr().out.splitlines()}
    assert named == {path.name for path in out.iterdir()}
    assert named == {
        "changes.en.html", "changes.ja.html", "changes.atom", "changes.json", "diff-examplebot-2026-11-01-research.json",
    }  # fmt: skip
    assert (out / "changes.json").read_bytes() == files(folder, base_url="")["changes.json"]


def test_one_step_can_be_announced_from_two_named_files(folder, tmp_path):
    put(tmp_path, "old.toml", EXAMPLE)
    put(tmp_path, "new.toml", SECOND)
    steps = ("--from", str(tmp_path / "old.toml"), "--to", str(tmp_path / "new.toml"))
    assert build("--policies", str(folder), "--out", str(tmp_path / "out"), *steps) == 0
    assert len(json.loads((tmp_path / "out" / "changes.json").read_bytes())["items"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--from", "old.toml"), ExitCode.USAGE, "go together"),
        (("--at", "yesterday"), ExitCode.USAGE, "--at"),
        (("--at", "2026-11-21T12:00:00"), ExitCode.USAGE, "--at"),
        (("--base-url", "javascript:alert(1)"), ExitCode.USAGE, "--base-url"),
        (("--policies", "nowhere"), ExitCode.REFUSED, "cannot be read"),
        (("--from", "old.toml", "--to", "gone.toml"), ExitCode.REFUSED, "cannot be read"),
        (("--from", "new.toml", "--to", "old.toml"), ExitCode.REFUSED, "no fragment explains"),
    ],
)
def test_a_wrong_request_writes_nothing(folder, request, arguments, code, says):
    put(folder, "work/old.toml", EXAMPLE)
    put(folder, "work/new.toml", SECOND)
    request.getfixturevalue("monkeypatch").chdir(folder / "work")
    capsys = request.getfixturevalue("capsys")
    assert build("--policies", str(folder), "--out", "out", *arguments) == code
    assert says in capsys.readouterr().err
    assert not (folder / "work" / "out").exists()
