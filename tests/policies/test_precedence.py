"""The precedence table says what the specifications say, and only tightens with every purpose."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.precedence import (
    DEFAULTS,
    HARDENABLE,
    LIFTABLE,
    SWITCHES,
    TABLE,
    Effect,
    Row,
    Switched,
    cell,
    effect,
    refused_purposes,
    strictest,
    switched_by,
)
from policies.vocabulary import Purpose

ORDER = list(Effect)
PURPOSES = st.frozensets(st.sampled_from(Purpose), min_size=1)
SWITCHED = st.builds(
    Switched,
    lifted=st.frozensets(st.sampled_from(Row)),
    hardened=st.frozensets(st.sampled_from(Row)),
    research_org=st.booleans(),
)
# Table 4 of the reference as it stands there: ai-training, search, archive, research.
LETTERS = {
    "1": "DDDD", "2": "DDDD", "3": "d---", "4": "dddd", "5": "D--d", "6": "-D--", "7a": "D--d", "7c": "-Dd-",
    "8b": "D-Dd", "9": "DddR", "11": "D---", "11a": "D---", "12": "DDDD", "13": "DdDD", "14": "dDdd",
    "15": "dcD-", "16": "dx--", "17": "D---", "17a": "i---", "19": "TTTT",
}  # fmt: skip
CODES = {
    "D": Effect.DENY, "d": Effect.DENY_BY_POLICY, "-": Effect.NONE, "R": Effect.DENY_UNLESS_RESEARCH_ORG,
    "c": Effect.NO_COPY, "x": Effect.NO_EXCERPT, "i": Effect.NO_IMAGES, "T": Effect.THROTTLE,
}  # fmt: skip


@pytest.mark.parametrize(("number", "letters"), LETTERS.items())
def test_each_row_says_what_the_reference_says(number, letters):
    purposes = (Purpose.AI_TRAINING, Purpose.SEARCH, Purpose.ARCHIVE, Purpose.RESEARCH)
    assert [cell(Row(number), purpose) for purpose in purposes] == [CODES[letter] for letter in letters]


def test_every_row_has_a_cell_for_every_purpose_and_an_own_label():
    assert set(TABLE) == set(Row)
    assert all(set(cells.cells) == set(Purpose) for cells in TABLE.values())
    labels = [cells.label for cells in TABLE.values()]
    assert len(set(labels)) == len(labels)
    assert all(cells.moments for cells in TABLE.values())


@given(row=st.sampled_from(Row), some=PURPOSES, more=PURPOSES, switched=SWITCHED)
def test_a_further_purpose_never_permits_more(row, some, more, switched):
    alone, together = effect(row, some, switched), effect(row, some | more, switched)
    assert ORDER.index(together) >= ORDER.index(alone)
    assert together is strictest((alone, effect(row, more, switched)))


@given(row=st.sampled_from(Row), purposes=PURPOSES, switched=SWITCHED)
def test_an_effect_is_resolved_and_agrees_with_the_purposes_that_it_refuses(row, purposes, switched):
    found = effect(row, purposes, switched)
    assert found not in {Effect.MAY_DENY, Effect.DENY_UNLESS_RESEARCH_ORG}
    assert found.denies == bool(refused_purposes(row, purposes, switched))


@given(row=st.sampled_from(Row), purposes=PURPOSES, switched=SWITCHED)
def test_a_switch_never_lifts_what_a_specification_refuses(row, purposes, switched):
    if Effect.DENY in {cell(row, purpose) for purpose in purposes}:
        assert effect(row, purposes, switched) is Effect.DENY


@pytest.mark.parametrize("row", Row)
def test_an_agent_without_a_purpose_gets_what_an_agent_with_all_of_them_gets(row):
    assert effect(row, ()) is effect(row, Purpose)


def test_only_a_declared_research_organisation_mines_reserved_text_for_research():
    declared = Switched(research_org=True)
    assert effect(Row.TDM_RESERVATION, [Purpose.RESEARCH]) is Effect.DENY
    assert effect(Row.TDM_RESERVATION, [Purpose.RESEARCH], declared) is Effect.NONE
    assert effect(Row.TDM_RESERVATION, [Purpose.RESEARCH, Purpose.AI_TRAINING], declared) is Effect.DENY


def test_every_switchable_row_has_exactly_one_switch_and_no_other_row_has_one():
    named = list(chain.from_iterable(SWITCHES.values()))
    assert len(named) == len(set(named))
    assert set(named) == LIFTABLE | HARDENABLE
    assert not LIFTABLE & HARDENABLE


def test_switches_act_by_name_and_an_unknown_one_is_refused():
    assert switched_by({}) == DEFAULTS
    lifted = switched_by({"honour_peer_ai_blocks": False, "deny_malformed_reservations": True})
    assert effect(Row.PEER_AI_BLOCKS, [Purpose.AI_TRAINING]) is Effect.DENY_BY_POLICY
    assert effect(Row.PEER_AI_BLOCKS, [Purpose.AI_TRAINING], lifted) is Effect.NONE
    assert effect(Row.TDM_MALFORMED, [Purpose.SEARCH]) is Effect.NONE
    assert effect(Row.TDM_MALFORMED, [Purpose.SEARCH], lifted) is Effect.DENY_BY_POLICY
    with pytest.raises(ValueError, match="honour_everything"):
        switched_by({"honour_everything": False})
