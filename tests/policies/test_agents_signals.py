"""Switches of an agent file: each moves cells that are our reading, and nothing that a specification says."""

import re
from datetime import date
from pathlib import Path

import pytest

from policies.agents import parse_agent
from policies.agents_findings import Severity, agent_findings
from policies.agents_intent import intent_of
from policies.agents_model import FIRST_HONOURS, Honour, SignalSwitches
from policies.agents_problems import AgentError
from policies.precedence import DEFAULTS, SWITCHES, TABLE, Effect, Row
from policies.vocabulary import Purpose

EXAMPLE = (Path(__file__).resolve().parents[2] / "policies/agents/examplebot.toml").read_text()


def agent(signals="", purposes='["ai-training"]'):
    text = EXAMPLE.replace('purposes = ["ai-training"]', f"purposes = {purposes}")
    return parse_agent(f"{text}\n{signals}".encode(), "a.toml")


def test_without_the_table_the_agent_departs_nowhere():
    assert agent().signals.deviations() == ()
    assert intent_of(agent()).switched == DEFAULTS


def test_the_names_are_those_of_the_precedence_table():
    assert set(SignalSwitches().values()) == set(SWITCHES)


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


def _naming(names, signals=""):
    text = re.sub(
        r"honours = \[.*?\n\]",
        f"honours = [{', '.join(map(repr, map(str, names)))}]",
        EXAMPLE,
        flags=re.DOTALL,
    )
    return parse_agent(f"{text}\n{signals}".encode(), "a.toml")


def _said(policy, field="honours"):
    return [one for one in agent_findings(policy, date(2026, 11, 22)) if one.field == field]


def test_a_file_from_before_a_family_joined_the_vocabulary_still_crawls_and_is_told_what_to_add():
    (finding,) = _said(_naming(sorted(FIRST_HONOURS)))
    assert finding.severity is Severity.WARNING
    assert all(honour.value in finding.message for honour in set(Honour) - FIRST_HONOURS)


@pytest.mark.parametrize("left_out", sorted(FIRST_HONOURS))
def test_a_file_that_leaves_out_one_of_the_first_measures_does_not_crawl(left_out):
    (finding,) = _said(_naming(honour for honour in Honour if honour is not left_out))
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize("switch", ["honour_peer_ai_blocks", "honour_ai_prohibitions"])
def test_blocks_of_ai_agents_are_declared_exactly_where_no_switch_lifts_them(switch):
    off = f"[signals]\n{switch} = false\n"
    assert _said(_naming(Honour)) == []
    (finding,) = _said(_naming(Honour, off))
    assert finding.severity is Severity.ERROR
    assert switch in finding.message
    assert _said(_naming((one for one in Honour if one is not Honour.AI_AGENT_BLOCKS), off)) == []
