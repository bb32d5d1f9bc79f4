"""`sekisho reapply`: an opt-out works backwards, is on the record, and is done once."""

import asyncio
import csv
import io
import json
import signal
import subprocess
import sys
import threading

import pytest
from loopback import Project, Reply, Web, page, robots

from policies.basis import decode_basis
from policies.reapply import withdrawn_record

LOG = ("--log", "sqlite:///log.db")
TDM = b'[{"location": "*", "tdm-reservation": 1}]'
WAIVERS = """\
schema = "sekisho.waivers/1"

[[waivers]]
document = "Contract 2026-17"
owner = "legal@example.com"
granted_by = "Example Publisher"
hosts = ["granted.localhost"]
waives = ["usage_preference"]
purposes = ["ai-training"]
expires = %s
"""
HOSTS = ("stays", "robots", "tdm", "listed", "granted", "silent", "noai", "gone", "slow")


def noai():
    reply = page()
    return Reply(
        reply.status,
        reply.headers,
        reply.body.replace(b"<head>", b'<head><meta name="robots" content="noai">'),
    )


class Reapplied:
    """A crawl that kept everything; then every site changed its mind; then `sekisho reapply`, several times."""

    def __init__(self, web, project):
        self.web, self.project = web, project
        self.url = {host: web.url(f"{host}.localhost", "/x") for host in HOSTS}
        for host in HOSTS:
            web.site(f"{host}.localhost", "", x=page())
        web.add("granted.localhost", "/robots.txt", robots("User-agent: *\nContent-Usage: train-ai=n\n"))
        project.write("waivers.toml", WAIVERS % "2099-12-31")
        project.append(
            "project_settings.py",
            '\nSEKISHO_WAIVERS_FILE = "waivers.toml"\nSEKISHO_ROBOTS_TIMEOUT = 3\nRETRY_ENABLED = False\n',
        )
        crawl = project.crawl(*self.url.values())
        self.kept = {one.url: one for one in crawl.of(verdict="keep", kind="page")}
        assert set(self.kept) == set(self.url.values()), crawl.stderr[-3000:]
        self._change()
        self.rehearsed = self.run("--dry-run", "--format", "json")
        self.after_rehearsal = project.records()
        self.offline = self.run("--offline", "--dry-run", "--format", "jsonl")
        before = len(web.received)
        self.first = self.run("--out", "withdraw.csv")
        self.received = web.received[before:]
        self.records = project.records()
        self.second = self.run("--format", "json")
        self.pages = self.run("--pages", "--format", "json", "--host", "localhost")
        self.listed = self.run("--list", "--out", "all.jsonl")

    def _change(self):
        web, project = self.web, self.project
        web.add("robots.localhost", "/robots.txt", robots("User-agent: *\nDisallow: /x\n"))
        web.add(
            "tdm.localhost",
            "/.well-known/tdmrep.json",
            Reply(200, (("Content-Type", "application/json"),), TDM),
        )
        web.add("silent.localhost", "/robots.txt", page("down", status=503))
        web.add(
            "slow.localhost",
            "/robots.txt",
            robots("User-agent: *\nCrawl-delay: 99999\nVisit-time: 0000-0001\n"),
        )
        web.add("noai.localhost", "/x", noai())
        web.add("gone.localhost", "/x", page("gone", status=404))
        project.write("lists/test.txt", "pirate.localhost\nlisted.localhost\n")
        project.write("waivers.toml", WAIVERS % "2026-01-01")

    def run(self, *arguments):
        return self.project.sekisho("reapply", *LOG, *arguments)

    def rows(self):
        text = (self.project.folder / "withdraw.csv").read_text(encoding="utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    with Web() as web:
        yield Reapplied(web, Project(tmp_path_factory.mktemp("reapplied")))


def test_what_sites_lists_and_policy_refuse_today_is_withdrawn_with_reasons(done):
    assert done.first.returncode == 3, done.first.stderr
    found = {row["url"]: row for row in done.rows() if row["outcome"] == "withdraw"}
    reasons = {host: found[done.url[host]]["reason"] for host in ("robots", "tdm", "listed", "granted")}
    assert reasons == {
        "robots": "robots_disallow",
        "tdm": "tdm_reservation",
        "listed": "piracy_list",
        "granted": "usage_preference",
    }
    assert len(found) == 4
    line = found[done.url["robots"]]
    assert (line["evidence_line"], line["evidence_text"]) == ("2", "Disallow: /x")
    assert found[done.url["listed"]]["authority"] == "Test court"
    for url, row in found.items():
        kept = done.kept[url]
        assert (row["segment"], int(row["idx"]), row["run"]) == (str(kept.segment), kept.idx, kept.run)
        assert row["body_sha256"] == kept.body_sha256


def test_what_could_not_be_asked_is_undecided_and_what_only_slows_us_down_stands(done):
    undecided = {row["url"]: row["reason"] for row in done.rows() if row["outcome"] == "undecided"}
    assert undecided == {done.url["silent"]: "robots_unreachable"}
    for host in ("stays", "slow", "noai", "gone"):  # without --pages no page is asked for
        assert done.url[host] not in {row["url"] for row in done.rows()}


def test_sites_are_asked_for_their_files_alone_through_log_and_door(done):
    assert all(one.path == "/robots.txt" or "tdmrep" in one.path for one in done.received)
    assert "listed.localhost" not in {one.host for one in done.received}
    decided = {
        (one.url, one.ts_us) for one in done.records if one.stage == "request" and one.verdict == "fetch"
    }
    for received in done.received:
        url = done.web.url(received.host, received.path)
        assert any(known == url and ts <= received.at for known, ts in decided)


def test_each_withdrawal_is_a_decision_that_names_the_record_of_the_keeping(done):
    withdrawn = [one for one in done.records if one.reason == "withdrawn"]
    assert {one.url for one in withdrawn} == {
        done.url[host] for host in ("robots", "tdm", "listed", "granted")
    }
    from crawler.decisionlog.reader import LogReader

    with LogReader.open(f"sqlite:///{done.project.folder / 'log.db'}") as reader:
        for one in withdrawn:
            kept = done.kept[one.url]
            basis = decode_basis(reader.document(one.basis_sha256).body)
            assert withdrawn_record(basis.verdicts) == (str(kept.segment), kept.idx)
            assert one.segment != kept.segment
            assert (one.stage, one.verdict, one.body_sha256) == ("response", "skip", kept.body_sha256)
            assert len(basis.verdicts) >= 2
    verified = done.project.sekisho("log", "verify", *LOG)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_rehearsal_records_no_withdrawal_and_says_so(done):
    assert done.rehearsed.returncode == 3
    said = json.loads(done.rehearsed.stdout)
    assert (said["schema"], said["recorded"], said["withdraw"]) == ("sekisho.reapply/1", False, 4)
    assert not [one for one in done.after_rehearsal if one.reason == "withdrawn"]
    assert all(row["decision"] is None for row in said["records"])


def test_nothing_is_withdrawn_twice(done):
    said = json.loads(done.second.stdout)
    assert (said["withdraw"], said["withdrawn_before"], said["undecided"]) == (0, 4, 1)
    assert done.second.returncode == 75  # one site did not answer: try later


def test_offline_nobody_is_asked_and_lists_and_lapsed_waivers_are_judged(done):
    rows = [json.loads(line) for line in done.offline.stdout.splitlines()]
    assert {row["url"]: row["reason"] for row in rows} == {
        done.url["listed"]: "piracy_list",
        done.url["granted"]: "usage_preference",
    }


def test_with_pages_what_a_page_says_today_counts_and_no_copy_is_kept(done):
    said = json.loads(done.pages.stdout)
    reasons = {row["url"]: (row["outcome"], row["reason"]) for row in said["records"]}
    assert reasons[done.url["noai"]] == ("withdraw", "noai")
    assert reasons[done.url["gone"]] == ("undecided", "http_error")
    assert done.url["stays"] not in reasons
    last = done.project.records()
    again = [one for one in last if one.url == done.url["stays"] and one.stage == "response"]
    assert [one.reason for one in again] == ["kept", "judged_only"]
    assert len([one for one in last if one.verdict == "keep" and one.kind == "page"]) == len(HOSTS)


def test_the_whole_list_can_be_had_from_the_log_again(done):
    assert done.listed.returncode == 0, done.listed.stderr
    rows = [json.loads(line) for line in (done.project.folder / "all.jsonl").read_text().splitlines()]
    assert len(rows) == 5
    first = {row["url"]: row for row in done.rows() if row["outcome"] == "withdraw"}
    for row in rows:
        if row["url"] in first:
            same = first[row["url"]]
            for name in ("segment", "run", "decision", "reason", "kept_at", "decided_at", "body_sha256"):
                assert row[name] == same[name], name
            assert str(row["idx"]) == same["idx"]


def test_the_list_of_the_log_can_be_narrowed_like_the_judging(done):
    whole = [json.loads(line) for line in (done.project.folder / "all.jsonl").read_text().splitlines()]

    def listed(*arguments):
        said = done.run("--list", "--format", "jsonl", *arguments)
        assert said.returncode == 0, said.stderr
        return [json.loads(line) for line in said.stdout.splitlines()]

    host = whole[0]["host"]
    assert [row["url"] for row in listed("--host", host)] == [
        row["url"] for row in whole if row["host"] == host
    ]
    assert listed("--host", "nobody.localhost") == []
    assert listed("--run", whole[0]["run"]) == [row for row in whole if row["run"] == whole[0]["run"]]
    assert listed("--from", "2020-01-01") == whole
    assert listed("--to", "2020-01-01") == []
    assert listed("--agent", "NobodyBot") == []


def test_no_cell_of_the_csv_is_a_formula(done):
    text = (done.project.folder / "withdraw.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    for row in csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--run", "nope"), 2, "no run 'nope'"),
        (("--offline", "--pages"), 2, "choose one"),
        (("--list", "--pages"), 2, "judges nothing"),
        (("--list", "--dry-run"), 2, "--dry-run"),
        (("--list", "--run", "nope"), 2, "no run 'nope'"),
        (("--from", "2026-12-01", "--to", "2026-11-01"), 2, "nothing lies between"),
        (("--format", "xml"), 2, "is none of table, json, jsonl"),
        (("--host", "nobody.localhost"), 0, "nothing to judge"),
        (("--out", "list.txt"), 2, ".csv or .jsonl"),
        (("--out", "withdraw.csv"), 2, "there already"),
        (("--host", "a b"), 2, "is no host"),
        (("--agent", "NobodyBot"), 5, "no file for the agent"),
        (("--log", "sqlite:///none.db"), 5, "none.db"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong_and_asks_nobody(done, arguments, code, words):
    before = len(done.web.received)
    said = done.run(*arguments)
    assert said.returncode == code, said.stderr
    assert words in said.stderr
    assert "Traceback" not in said.stderr
    assert len(done.web.received) == before


def test_an_interrupted_run_leaves_no_half_list_and_is_simply_repeated(web, project):
    web.site("a.localhost", "", x=page())
    web.site("b.localhost", "", x=page())
    urls = [web.url("a.localhost", "/x"), web.url("b.localhost", "/x")]
    assert len(project.crawl(*urls).kept()) == 2
    web.add("a.localhost", "/robots.txt", robots("User-agent: *\nDisallow: /\n"))
    asked = threading.Event()

    async def slow(_):
        asked.set()
        await asyncio.sleep(3)
        return robots("")

    web.add("b.localhost", "/robots.txt", slow)
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler.cli", "reapply", *LOG, "--out", "list.csv"],
        cwd=project.folder, env=project.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert asked.wait(30)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr
    assert "running it again" in stderr
    assert not list(project.folder.glob("*list.csv*")) + list(project.folder.glob(".*partial"))
    web.add("b.localhost", "/robots.txt", robots(""))
    again = project.sekisho("reapply", *LOG, "--out", "list.csv")
    assert again.returncode == 3, again.stderr
    withdrawn = [one for one in project.records() if one.reason == "withdrawn"]
    assert [one.url for one in withdrawn] == urls[:1]
    assert project.sekisho("log", "verify", *LOG).returncode == 0
