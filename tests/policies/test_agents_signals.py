"""Switches of an agent file: each moves cells that are our reading, and nothing that a specification says."""

from datetime import date
from pathlib import Path

import pytest

from policies.agents import parse_agent
from policies.agents_findings import Severity, agent_findings
from policies.agents_intent import intent_of
from policies.agents_model import SignalSwitches
from policies.agents_problems import AgentError
from policies.precedence import DEFAULTS, SWITCHES, TABLE, Effect, Row
from policies.vocabulary import Purpose

EXAMPLE = (Path(__file__).resolve().parents[2] / "policies/agents/examplebot.toml").read_text()
# A rule judges it by the status alone: no agent file moves it.
NOT_OFFERED = {"honour_denied_robots"}


def agent(signals="", purposes='["ai-training"]'):
    text = EXAMPLE.replace('purposes = ["ai-training"]', f"purposes = {purposes}")
    return parse_agent(f"{text}\n{signals}".encode(), "a.toml")


def test_without_the_table_the_agent_departs_nowhere():
    assert agent().signals.deviations() == ()
    assert intent_of(agent()).switched == DEFAULTS


def test_the_names_are_those_of_the_precedence_table():
    assert set(SignalSwitches().values()) == set(SWITCHES) - NOT_OFFERED


@pytest.mark.parametrize("name", sorted(SignalSwitches().values()))
def test_a_switch_moves_its_rows_and_no_refusal_of_a_specification(name):
    value = str(name.startswith("deny_")).lower()
    changed = agent(
        f"[signals]\n{name} = {value}\n", '["ai-training", "ai-input", "search", "archive", "research"]'
    )
    assert changed.signals.deviations() == (name,)
    moved = set()
    for purpose in Purpose:
        one = intent_of(changed, [purpose])
        plain = intent_of(agent(), [purpose])
        for row in Row:
            if one.effect(row) is not plain.effect(row):
                moved.add(row)
                assert TABLE[row].cells[purpose] in {Effect.DENY_BY_POLICY, Effect.MAY_DENY}
    assert moved
    assert moved <= set(SWITCHES[name])


def test_a_class_block_can_be_read_as_none_of_ours_by_policy():
    assert intent_of(agent()).effect(Row.PEER_AI_BLOCKS).denies
    assert (
        not intent_of(agent("[signals]\nhonour_peer_ai_blocks = false\n")).effect(Row.PEER_AI_BLOCKS).denies
    )


def test_a_research_organisation_is_free_of_the_reservation_for_research_alone():
    declared = agent("[signals]\nresearch_org = true\n", '["research"]')
    assert not intent_of(declared).effect(Row.TDM_RESERVATION).denies
    assert intent_of(declared, [Purpose.RESEARCH, Purpose.AI_TRAINING]).effect(Row.TDM_RESERVATION).denies
    assert intent_of(agent("", '["research"]')).effect(Row.TDM_RESERVATION).denies


def test_every_departure_is_a_warning_with_its_key():
    changed = agent("[signals]\nresearch_org = true\nhonour_peer_ai_blocks = false\n")
    found = {one.field: one.severity for one in agent_findings(changed, date(2026, 11, 22))}
    assert found["signals.research_org"] is Severity.WARNING
    assert found["signals.honour_peer_ai_blocks"] is Severity.WARNING


@pytest.mark.parametrize(
    "signals",
    [
        "[signals]\nhonour_everything = true\n",
        "[signals]\nhonour_peer_ai_blocks = 0\n",
        '[signals]\nresearch_org = "yes"\n',
        "[signals]\nhonour_robots_txt = false\n",
    ],
)
def test_a_switch_that_nobody_knows_or_that_is_no_boolean_is_refused(signals):
    with pytest.raises(AgentError, match=r"a\.toml:\d+.*signals"):
        agent(signals)
