"""Refreshing block lists, end to end: what list servers received, what took effect, what the log says."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import subprocess
import sys
import zlib

import pytest
from arrivals import undecided
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from loopback import Reply

from blocklists import store
from blocklists.snapshot import load_snapshot
from crawler.decisionlog.reader import LogReader

HOST = "lists.localhost"
NAMES = ["thepiratebay.org", *(f"pirate{number}.example" for number in range(99))]
ROWS = "\n".join(NAMES).encode() + b"\n"
COUNTED = b"# Title: Test\n# Expires: 1 day\n# Number of entries: 100\n" + ROWS


def text(body, *, status=200, **headers):
    return Reply(
        status,
        (("Content-Type", "text/plain"), *((k.replace("_", "-"), v) for k, v in headers.items())),
        body,
    )


def define(project, web, name, *, accepted=True, **more):
    members = {
        "id": name,
        "title": name,
        "urls": [web.url(HOST, f"/{name}.txt")],
        "pinned_hosts": [HOST],
        "format": "plain",
        "weight": "community",
        "licence": "test",
        "licence_accepted": accepted,
        "must_have": ["thepiratebay.org"],
    } | more
    lines = [f"{key} = {json.dumps(value)}" for key, value in members.items()]
    project.write(f"lists/sources/{name}.toml", "\n".join(lines) + "\n")


def refresh(project, *arguments):
    done = project.sekisho("blocklists", "refresh", "--json", *arguments)
    lists = {one["list"]: one for one in json.loads(done.stdout)["lists"]} if done.stdout else {}
    return done, lists


def snapshot(project):
    return load_snapshot(project.folder / "lists", now_us=0)


def listed(project, host):
    return bool(snapshot(project).matcher.match(host, now_us=0))


def notes(project, reason):
    found = [one for one in project.records() if one.reason == reason]
    with LogReader.open(f"sqlite:///{project.folder / 'log.db'}") as reader:
        return [json.loads(reader.document(one.body_sha256).body) for one in found]


def test_a_list_is_fetched_with_a_decision_and_asked_for_conditionally_from_then_on(web, project):
    define(project, web, "a")
    define(project, web, "off", accepted=False)
    web.add(HOST, "/a.txt", text(COUNTED, ETag='"v1"', Last_Modified="Sat, 21 Nov 2026 00:00:00 GMT"))
    done, lists = refresh(project)
    assert done.returncode == 0, done.stderr
    assert (lists["a"]["outcome"], lists["a"]["entries"]) == ("accepted", 100)
    assert web.paths() == ["/a.txt"]  # no robots.txt, and nothing whose licence was not accepted
    assert web.received[0].headers["user-agent"].startswith("Mozilla/5.0 (compatible; ExampleBot/1.0")
    assert undecided(web, web.received, project.records()) == []
    assert listed(project, "www.pirate7.example")
    assert listed(project, "pirate.localhost")  # the operator's own list stays
    (note,) = notes(project, "list_refreshed")
    assert (note["sha256"], note["entries"], note["licence"]) == (
        hashlib.sha256(COUNTED).hexdigest(),
        100,
        "test",
    )
    (change,) = notes(project, "lists_changed")
    assert change["to"] == snapshot(project).sha256 == store.read_current(project.folder / "lists")
    bodies = [one for one in project.records() if one.kind == "list" and one.stage == "response"]
    assert [one.body_sha256 for one in bodies] == [note["sha256"]]

    quiet, _ = refresh(project)
    assert (quiet.returncode, len(web.received)) == (0, 1)
    assert "no list is due" in quiet.stderr

    web.add(HOST, "/a.txt", lambda got: text(b"", status=304 if "if-none-match" in got.headers else 500))
    before = (store.read_current(project.folder / "lists"), snapshot(project).sha256)
    done, lists = refresh(project, "--force")
    assert (done.returncode, lists["a"]["outcome"]) == (0, "unchanged"), done.stderr
    asked = web.received[-1].headers
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"v1"', "Sat, 21 Nov 2026 00:00:00 GMT")
    assert (store.read_current(project.folder / "lists"), snapshot(project).sha256) == before
    assert len(notes(project, "list_unchanged")) == 1


def bomb():
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [squeezed.compress(bytes(2**20)) for _ in range(200)]
    return b"".join(parts) + squeezed.flush()


BAD = {
    # name: the answer, the outcome, words of the concern
    "html": (text(b"<!doctype html><html>a page</html>"), "held", "a web page in place of a list"),
    "empty": (text(b""), "held", "the answer is empty"),
    "cut": (text(COUNTED[: len(COUNTED) * 6 // 10]), "held", "its header says 100 entries"),
    "shrunk": (text(ROWS[: len(ROWS) * 6 // 10]), "held", "shrank by more than 20%"),
    "grew": (
        text(ROWS + b"".join(b"more%d.example\n" % n for n in range(80))),
        "held",
        "grew by more than 50%",
    ),
    "bomb": (text(bomb(), Content_Encoding="gzip"), "failed", "more than 134217728 octets"),
    "packed": (text(bomb()), "held", "unpacks to more than"),
    "binary": (text(bytes(range(256)) * 40), "held", "is not UTF-8"),
    "dropped": (Reply(raw=b"HTTP/1.1 200 X\r\nContent-Length: 99999\r\n\r\n" + ROWS), "failed", ""),
    "closed": (Reply(close=True), "failed", ""),
    "error": (text(ROWS, status=503), "failed", "status 503"),
    "poisoned": (text(ROWS + b"google.com\n"), "held", "lists google.com, which it must not"),
    "nasa": (text(ROWS + b"nasa.gov\n"), "held", "lists nasa.gov, which it must not"),
    "own-site": (text(ROWS + b"bot.example.com\n"), "held", "lists bot.example.com, which it must not"),
    "publisher": (text(ROWS + b"news.example.jp\n"), "held", "lists news.example.jp, which it must not"),
    "lacking": (
        text(ROWS.replace(b"thepiratebay.org", b"other.example")),
        "held",
        "does not list thepiratebay.org",
    ),
    "moved": (
        text(b"", status=302, Location="http://evil.localhost:1/list.txt"),
        "failed",
        "pinned are lists.localhost",
    ),
}


def test_hard_cases_24_and_28_whatever_a_list_server_sends_the_last_good_list_stays(web, project):
    for name in BAD:
        define(project, web, name, must_not_have=["news.example.jp"])
        web.add(HOST, f"/{name}.txt", text(COUNTED if name == "cut" else ROWS))
    done, lists = refresh(project)
    assert {one["outcome"] for one in lists.values()} == {"accepted"}, done.stdout
    good = snapshot(project)
    current = store.read_current(project.folder / "lists")
    for name, (reply, _, _) in BAD.items():
        web.add(HOST, f"/{name}.txt", reply)
    web.add(HOST, "/moved.txt", text(b"", status=302, Location=web.url("evil.localhost", "/list.txt")))
    web.add("evil.localhost", "/list.txt", text(ROWS))
    done, lists = refresh(project, "--force")
    assert done.returncode == 3, done.stderr
    for name, (_, outcome, words) in BAD.items():
        assert lists[name]["outcome"] == outcome, (name, lists[name])
        assert words in lists[name]["concerns"], (name, lists[name])
    assert web.paths("evil.localhost") == []
    assert undecided(web, web.received, project.records()) == []
    assert store.read_current(project.folder / "lists") == current
    after = snapshot(project)
    assert (after.sha256, len(after.matcher)) == (good.sha256, len(good.matcher))
    assert len(notes(project, "list_held")) == sum(outcome == "held" for _, outcome, _ in BAD.values())
    assert len(notes(project, "list_failed")) == sum(outcome == "failed" for _, outcome, _ in BAD.values())

    status = project.sekisho("blocklists", "status", "--json")
    assert status.returncode == 3
    rows = {one["list"]: one for one in json.loads(status.stdout)["lists"]}
    held = rows["grew"]["note"]
    assert held.startswith("held ")
    assert "grew by more than 50%" in held
    assert "failed 1 times" in rows["closed"]["note"]
    assert (project.folder / "lists" / "held").is_dir()

    # After review a person accepts exactly these octets; nobody is asked again, and a canary is never waived.
    asked = len(web.received)
    digests = {name: hashlib.sha256(BAD[name][0].body).hexdigest()[:12] for name in ("grew", "poisoned")}
    accept = [f"--accept={name}={digest}" for name, digest in digests.items()]
    done, lists = refresh(project, *accept)
    assert (lists["grew"]["outcome"], lists["poisoned"]["outcome"]) == ("accepted", "held"), done.stderr
    assert len([one for one in web.received[asked:] if one.path in ("/grew.txt", "/poisoned.txt")]) == 0
    assert listed(project, "more7.example")
    assert not listed(project, "google.com")
    assert any(note.get("accepted_by_operator") for note in notes(project, "list_refreshed"))
    wrong = project.sekisho("blocklists", "refresh", "--accept", f"html={'0' * 12}")
    assert wrong.returncode == 2
    assert "see: sekisho blocklists status" in wrong.stderr


def minisign(key, key_id, body):
    signed = key.sign(hashlib.blake2b(body).digest())
    comment = "timestamp:1"
    lines = [
        "untrusted comment: test",
        base64.b64encode(b"ED" + key_id + signed).decode(),
        f"trusted comment: {comment}",
        base64.b64encode(key.sign(signed + comment.encode())).decode(),
    ]
    return ("\n".join(lines) + "\n").encode()


def test_mirrors_pins_signatures_and_unconfirmed_304_are_settled_per_address(web, project):
    key, key_id = Ed25519PrivateKey.generate(), b"12345678"
    public = base64.b64encode(
        b"Ed" + key_id + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    ).decode()
    define(project, web, "mirrored", urls=[web.url(HOST, "/down"), web.url("mirror.localhost", "/up")],
           pinned_hosts=[HOST, "mirror.localhost"])  # fmt: skip
    web.add(HOST, "/down", Reply(close=True))
    web.add("mirror.localhost", "/up", text(gzip.compress(ROWS)))
    define(project, web, "pinned", sha256=hashlib.sha256(ROWS).hexdigest())
    web.add(HOST, "/pinned.txt", text(ROWS))
    define(project, web, "changed", sha256="0" * 64)
    web.add(HOST, "/changed.txt", text(ROWS))
    define(project, web, "signed", minisign_key=public)
    web.add(HOST, "/signed.txt", text(ROWS))
    web.add(HOST, "/signed.txt.minisig", text(minisign(key, key_id, ROWS)))
    define(project, web, "forged", minisign_key=public)
    web.add(HOST, "/forged.txt", text(ROWS + b"one.example\n"))
    web.add(HOST, "/forged.txt.minisig", text(minisign(key, key_id, ROWS)))
    define(project, web, "unsigned", minisign_key=public)
    web.add(HOST, "/unsigned.txt", text(ROWS))
    define(project, web, "unchanged")
    web.add(HOST, "/unchanged.txt", text(b"", status=304))
    define(project, web, "inside")
    web.add(HOST, "/inside.txt", text(b"", status=301, Location="/moved.txt"))
    web.add(HOST, "/moved.txt", text(ROWS))
    done, lists = refresh(project)
    assert done.returncode == 3
    assert {name: one["outcome"] for name, one in lists.items()} == {
        "mirrored": "accepted", "pinned": "accepted", "signed": "accepted", "inside": "accepted",
        "changed": "held", "forged": "held", "unsigned": "held", "unchanged": "failed",
    }  # fmt: skip
    for name, words in {
        "changed": "pinned is 000",
        "forged": "the signature does not fit these octets",
        "unsigned": "no signature was found",
        "unchanged": "304, but no copy of this list is here",
    }.items():
        assert words in lists[name]["concerns"], lists[name]
    assert undecided(web, web.received, project.records()) == []
    assert all("if-none-match" not in one.headers for one in web.received)


def test_two_refreshes_at_once_an_unaccepted_licence_and_an_unknown_list_are_refused_before_anything_is_asked(
    web, project
):
    define(project, web, "off", accepted=False)
    with store.locked(project.folder / "lists"):
        second = project.sekisho("blocklists", "refresh")
    assert second.returncode == 75
    assert "another command is changing these lists" in second.stderr
    off = project.sekisho("blocklists", "refresh", "off")
    assert (off.returncode, "licence was not accepted" in off.stderr) == (5, True)
    assert project.sekisho("blocklists", "refresh", "nowhere").returncode == 2
    assert web.received == []


def test_a_list_that_cannot_be_reached_for_weeks_makes_the_command_say_try_later(web, project):
    define(project, web, "a")
    web.add(HOST, "/a.txt", Reply(close=True))
    done, lists = refresh(project)
    assert (done.returncode, lists["a"]["outcome"]) == (75, "failed")
    assert listed(project, "pirate.localhost")


def test_an_empty_folder_is_given_the_starter_lists_so_that_the_first_refresh_is_guarded_too(web, project):
    for path in (project.folder / "lists").iterdir():
        path.unlink()
    define(project, web, "a")
    web.add(HOST, "/a.txt", text(ROWS))
    done, lists = refresh(project)
    assert (done.returncode, lists["a"]["outcome"]) == (0, "accepted"), done.stderr
    assert "the starter lists were put into it" in done.stderr
    assert len(snapshot(project).sources) > 1


@pytest.mark.parametrize("pinned", [True, False])
def test_a_spider_cannot_call_a_page_a_list(web, project, pinned):
    define(project, web, "a", accepted=pinned)
    web.add("shop.localhost", "/secret", text(b"x"))
    web.site("shop.localhost", "User-agent: *\nDisallow: /\n")
    project.write(
        "spiders/sly.py",
        "import scrapy\nfrom crawler.checkpoint import Checkpoint\nfrom policies.vocabulary import RequestKind\n\n\n"
        "class Sly(scrapy.Spider):\n    name = 'sly'\n\n    async def start(self):\n"
        f"        request = scrapy.Request({web.url('shop.localhost', '/secret')!r})\n"
        "        Checkpoint.of(self.crawler).declare(request, RequestKind.LIST)\n        yield request\n",
    )
    crawl = project.scrapy("crawl", "sly")
    assert web.received == []
    assert crawl.reason(web.url("shop.localhost", "/secret")) == "policy_scope"


def test_the_command_line_leaves_scrapy_alone_where_no_project_stands(tmp_path):
    code = (
        "import sys\nfrom crawler.cli import main\n"
        "assert main(['blocklists', 'add', '--host', 'bad.example']) == 0\n"
        "assert main(['blocklists', 'why', 'x.bad.example']) == 0\n"
        "assert 'scrapy' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "x.bad.example is not visited: 1 entry names it." in done.stdout
