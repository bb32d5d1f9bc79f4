"""Bad input around the block lists: a clear message, the last good state in force, never an empty matcher."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest
from held import Held, until
from loopback import Reply

from blocklists import store
from blocklists.errors import ListError
from blocklists.index import IndexChoice
from blocklists.refresh_judge import Answer, Outcome
from blocklists.refresh_plan import DAY_US, REFUSE_DAYS, WARN_DAYS, Freshness, is_due
from blocklists.refresh_sources import load_definitions
from blocklists.refresh_state import list_ages, load_states, require_fresh
from blocklists.refresh_store import compile_lists
from blocklists.snapshot import load_snapshot
from crawler.list_refresh import ListRefresh, Order
from policies.vocabulary import Reason

START = 1_795_000_000_000_000
DEFINITION = """\
id = "a"
title = "A list"
urls = ["{url}"]
pinned_hosts = ["lists.localhost"]
format = "plain"
weight = "rights_holder_list"
licence = "test"
licence_accepted = true
"""
OWN = {
    "own.toml": 'id = "own"\ntitle = "o"\nfile = "own.txt"\nweight = "operator"\n',
    "own.txt": "own.example\n",
}
GOOD = b"thepiratebay.org\nbad.example\n"


class Weeks:
    """A folder that is refreshed every day by a clock of our own, from a source that answers or does not."""

    def __init__(self, folder):
        self.folder = folder
        self.now = START
        self.answer = None
        self.notes = []
        (folder / "sources").mkdir(parents=True)
        for name, text in OWN.items():
            (folder / name).write_text(text)
        url = "http://lists.localhost/a.txt"
        (folder / "sources" / "a.toml").write_text(DEFINITION.format(url=url))
        with store.locked(folder):
            compile_lists(folder, now_us=self.now)

    def refresh(self):
        """Refresh what is due at this moment; the outcome, None when nothing was."""
        states = load_states(self.folder)
        (definition,) = load_definitions(self.folder).values()
        if definition.id in states and not is_due(states[definition.id], self.now):
            return None

        async def note(reason, document, *, extra=()):
            self.notes.append((reason, json.loads(document.body)))

        async def ask(url, **_):
            return self.answer or Answer(url=url, error="ConnectionRefusedError: nobody listens")

        policy = SimpleNamespace(operator=SimpleNamespace(url=None), contact=SimpleNamespace(info_page=None))
        checkpoint = SimpleNamespace(
            clock=SimpleNamespace(now_us=lambda: self.now),
            record=SimpleNamespace(note=note),
            agent=SimpleNamespace(policy=policy),
            snapshot=SimpleNamespace(sha256="0" * 64),
        )
        order = Order(
            folder=self.folder, definitions=(definition,), accepted={}, index=IndexChoice.AUTO, keep=10
        )
        run = ListRefresh(SimpleNamespace(), checkpoint, order)
        run._files = SimpleNamespace(ask=ask)
        with store.locked(self.folder):
            done = asyncio.run(run.run())
        return done.lists[0].decision.outcome

    def freshness(self):
        snapshot = load_snapshot(self.folder, now_us=self.now)
        ages = list_ages(
            self.folder, snapshot.sources, now_us=self.now, warn_days=WARN_DAYS, refuse_days=REFUSE_DAYS
        )
        return {age.source_id: age.freshness for age in ages}.get("a")


def test_a_source_that_cannot_be_reached_for_weeks_warns_then_refuses_and_its_last_good_list_stays(tmp_path):
    weeks = Weeks(tmp_path / "lists")
    weeks.answer = Answer(url="http://lists.localhost/a.txt", status=200, body=GOOD)
    assert weeks.refresh() is Outcome.ACCEPTED
    good = store.read_current(weeks.folder)
    weeks.answer = None
    seen = []
    for day in range(1, 100):
        weeks.now = START + day * DAY_US
        assert weeks.refresh() is Outcome.FAILED, day
        assert store.read_current(weeks.folder) == good
        assert load_snapshot(weeks.folder, now_us=weeks.now).matcher.match("x.bad.example", now_us=weeks.now)
        seen.append((day, weeks.freshness()))
    assert [day for day, one in seen if one is Freshness.FRESH] == list(range(1, 15))
    assert [day for day, one in seen if one is Freshness.STALE] == list(range(15, 91))
    assert [day for day, one in seen if one is Freshness.EXPIRED] == list(range(91, 100))
    sources = load_snapshot(weeks.folder, now_us=weeks.now).sources
    with pytest.raises(ListError, match=r"nobody confirmed these lists for more than 90 days: a \(99 days\)"):
        require_fresh(weeks.folder, sources, now_us=weeks.now, refuse_days=REFUSE_DAYS)
    state = load_states(weeks.folder)["a"]
    assert (state.failures, state.problem) == (99, "ConnectionRefusedError: nobody listens")
    assert [reason for reason, _ in weeks.notes].count(Reason.LIST_FAILED) == 99
    # It comes back with the same octets: confirmed, and as young as today.
    weeks.now += DAY_US
    weeks.answer = Answer(url="http://lists.localhost/a.txt", status=200, body=GOOD)
    assert weeks.refresh() is Outcome.UNCHANGED
    assert weeks.freshness() is Freshness.FRESH
    assert load_states(weeks.folder)["a"].failures == 0


def test_a_source_that_fails_is_asked_again_within_hours_and_not_at_every_call(tmp_path):
    weeks = Weeks(tmp_path / "lists")
    assert weeks.refresh() is Outcome.FAILED
    weeks.now += 5 * DAY_US // 24
    assert weeks.refresh() is None
    weeks.now += 1 * DAY_US // 24
    assert weeks.refresh() is Outcome.FAILED


def test_two_refreshes_at_once_are_one_refresh_and_a_message(web, project):
    url = web.url("lists.localhost", "/a.txt")
    project.write("lists/sources/a.toml", DEFINITION.format(url=url))
    held = Held(web, Reply(200, (("Content-Type", "text/plain"),), GOOD))
    web.add("lists.localhost", "/a.txt", held)
    code = "from crawler.cli import main\nimport sys\nsys.exit(main(['blocklists', 'refresh', '--json']))\n"
    import subprocess
    import sys

    first = subprocess.Popen(
        [sys.executable, "-c", code], cwd=project.folder, env=project.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until(first, lambda: held.waiting)
        second = project.sekisho("blocklists", "refresh", "--json")
        held.release()
        assert (second.returncode, second.stdout) == (75, "")
        assert f"another command is changing these lists (process {first.pid}); try again" in second.stderr
        stdout, stderr = first.communicate(timeout=60)
    finally:
        if first.poll() is None:
            first.kill()
            first.communicate()
    assert first.returncode == 0, stderr
    assert json.loads(stdout)["lists"][0]["outcome"] == "accepted"
    assert web.paths("lists.localhost") == ["/a.txt"]
    assert load_snapshot(project.folder / "lists", now_us=0).matcher.match("x.bad.example", now_us=0)
