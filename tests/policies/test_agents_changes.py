"""Change fragments and kept versions: no conduct changes without notice."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from policies.agents import AgentError, load_agent
from policies.agents_changes import (
    ChangeKind,
    change_problems,
    lineage,
    load_changes,
    load_history,
    load_upcoming,
    parse_change,
    read_change,
)

EXAMPLE = (Path(__file__).resolve().parents[2] / "policies" / "agents" / "examplebot.toml").read_text(
    encoding="utf-8"
)
FRAGMENT = """\
schema = "sekisho.change/1"
token = "ExampleBot"
kind = "changed"
version_from = 1
version_to = 2
published = 2026-11-01
effective_from = 2026-12-01
[what]
en = "Research is a purpose."
ja = "研究を目的に加えます。"
[why]
en = "A group joined."
ja = "研究グループが加わりました。"
"""
SECOND = (
    EXAMPLE.replace("version = 1\n", "version = 2\n")
    .replace("effective_from = 2025-04-01", "effective_from = 2026-12-01")
    .replace('["ai-training"]', '["ai-training", "research"]')
)


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path):
    put(tmp_path, "agents/examplebot.toml", SECOND)
    put(tmp_path, "agents/history/examplebot/1.toml", EXAMPLE)
    put(tmp_path, "changes/2026-11-01-research.toml", FRAGMENT)
    return tmp_path


def problems(folder: Path) -> str:
    return "; ".join(change_problems(lineage(folder, load_agent(folder)), load_changes(folder)))


def test_a_version_with_its_fragment_and_history_is_sound(folder):
    assert problems(folder) == ""
    assert [agent.policy.version for agent in load_history(folder, "EXAMPLEBOT")] == [1]


def test_a_first_version_needs_no_fragment(tmp_path):
    put(tmp_path, "agents/examplebot.toml", EXAMPLE)
    assert problems(tmp_path) == ""


def test_pc12c5_a_new_version_without_a_fragment_is_a_problem(folder):
    (folder / "changes" / "2026-11-01-research.toml").unlink()
    assert "version 2 of ExampleBot has no change fragment" in problems(folder)


def test_a_published_version_that_changed_its_meaning_is_a_problem(folder):
    put(folder, "agents/history/examplebot/2.toml", SECOND.replace("= 86400", "= 3600"))
    assert "both say version 2" in problems(folder)


def test_a_published_version_may_change_its_comments(folder):
    put(folder, "agents/history/examplebot/2.toml", f"# another comment\n{SECOND}")
    assert problems(folder) == ""


def test_a_fragment_and_its_version_agree_on_the_day(folder):
    put(folder, "agents/examplebot.toml", SECOND.replace("= 2026-12-01", "= 2026-12-02"))
    assert "announces 2026-12-01" in problems(folder)


def test_a_version_that_was_not_kept_is_a_problem(folder):
    (folder / "agents" / "history" / "examplebot" / "1.toml").unlink()
    assert "version 1 of ExampleBot is not kept" in problems(folder)


def test_a_fragment_that_leads_nowhere_is_a_problem(folder):
    text = FRAGMENT.replace("version_to = 2", "version_to = 3").replace(
        "version_from = 1", "version_from = 2"
    )
    put(folder, "changes/2026-11-01-more.toml", text)
    assert "leads to version 3 of ExampleBot, which is not there" in problems(folder)


def test_an_announced_version_waits_beside_the_one_in_force(tmp_path):
    put(tmp_path, "agents/examplebot.toml", EXAMPLE)
    put(tmp_path, "agents/upcoming/examplebot.toml", SECOND)
    put(tmp_path, "changes/2026-11-01-research.toml", FRAGMENT)
    assert problems(tmp_path) == ""
    assert load_agent(tmp_path).policy.version == 1
    upcoming = load_upcoming(tmp_path, "ExampleBot")
    assert upcoming is not None
    assert upcoming.policy.version == 2


def test_an_announced_file_of_another_token_is_refused(tmp_path):
    put(tmp_path, "agents/upcoming/otherbot.toml", EXAMPLE)
    with pytest.raises(AgentError, match=r"call it examplebot\.toml"):
        load_upcoming(tmp_path, "OtherBot")


def test_a_kept_version_lies_under_its_own_name(folder):
    put(folder, "agents/history/examplebot/7.toml", EXAMPLE)
    with pytest.raises(AgentError, match=r"holds version 1; call it 1\.toml"):
        load_history(folder, "ExampleBot")


def test_a_kept_version_lies_under_its_own_token(folder):
    put(folder, "agents/history/otherbot/1.toml", EXAMPLE)
    with pytest.raises(AgentError, match="lies in the folder of otherbot"):
        load_history(folder, "OtherBot")


def test_kept_versions_are_in_order_of_number_not_of_text(folder):
    for version in (2, 10, 9):
        put(
            folder,
            f"agents/history/examplebot/{version}.toml",
            SECOND.replace("version = 2", f"version = {version}"),
        )
    assert [agent.policy.version for agent in load_history(folder, "ExampleBot")] == [1, 2, 9, 10]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("version_to = 2", "version_to = 3", 5, "must be 2"),
        ("version_to = 2\n", "", 1, "is missing"),
        ('"changed"', '"withdrawn"', 5, "no place in a withdrawal"),
        ('"changed"', '"altered"', 3, "changed, withdrawn"),
        ("effective_from = 2026-12-01", "effective_from = 2026-10-31", 7, "announce first"),
        ("[why]", "[wye]", 11, "did you mean 'why'?"),
        ('en = "A group joined."', 'en = "A\\u001b[31m"', 12, "U+001B"),
        ('ja = "研究を目的に加えます。"', "", 8, "is missing"),
    ],
)
def test_a_wrong_fragment_is_refused_with_its_line(old, new, line, says):
    assert old in FRAGMENT
    with pytest.raises(AgentError) as caught:
        parse_change(FRAGMENT.replace(old, new).encode(), "change.toml")
    found = [problem for problem in caught.value.problems if says in str(problem)]
    assert [problem.line for problem in found] == [line]


def test_a_withdrawal_has_no_further_version():
    text = FRAGMENT.replace('"changed"', '"withdrawn"').replace("version_to = 2\n", "")
    assert parse_change(text.encode(), "change.toml").kind is ChangeKind.WITHDRAWN


@pytest.mark.parametrize(
    "name", ["research.toml", "2026-11-01.toml", "2026-11-01-Research.toml", "2026-11-1-x.toml"]
)
def test_a_fragment_is_named_by_day_and_slug(tmp_path, name):
    with pytest.raises(AgentError, match="is not named"):
        read_change(put(tmp_path, f"changes/{name}", FRAGMENT))


def test_the_name_of_a_fragment_is_the_day_of_its_publication(tmp_path):
    with pytest.raises(AgentError, match="is named for 2026-11-02"):
        read_change(put(tmp_path, "changes/2026-11-02-research.toml", FRAGMENT))
    assert read_change(put(tmp_path, "changes/2026-11-01-research.toml", FRAGMENT)).change.published == date(
        2026, 11, 1
    )


def test_the_shipped_policies_explain_their_own_changes():
    shipped = Path(__file__).resolve().parents[2] / "policies"
    assert problems(shipped) == ""
