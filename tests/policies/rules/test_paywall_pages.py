"""Every page under tests/sites is judged as its expected.toml says, at the line that it names."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from policies.facts import ResponseFacts
from policies.response_rules import judge_response_body
from policies.vocabulary import Action

SITES = Path(__file__).resolve().parents[2] / "sites"
CASES = sorted(path.parent.name for path in SITES.glob("*/expected.toml"))


def response(case: str) -> ResponseFacts:
    headers = {"content-type": "text/html; charset=utf-8"}
    declared = SITES / case / "headers.toml"
    if declared.exists():
        headers.update(tomllib.loads(declared.read_text(encoding="utf-8")))
    return ResponseFacts(
        url=f"https://{case}.example/article",
        status=200,
        headers=tuple((name, value) for name, value in headers.items() if value),
        body=(SITES / case / "page.html").read_bytes(),
    )


def test_the_page_set_is_there():
    assert len(CASES) >= 50


@pytest.mark.parametrize("case", CASES)
def test_page_is_judged_as_its_case_says(case):
    expected = tomllib.loads((SITES / case / "expected.toml").read_text(encoding="utf-8"))
    assessment = judge_response_body(response(case))
    deciding = assessment.deciding
    assert deciding.reason == expected["reason"], expected["about"]
    if expected["reason"] == "kept":
        assert assessment.passes
        return
    assert deciding.action is Action.SKIP
    evidence = deciding.evidence[0] if case != "paywall-haspart" else deciding.evidence[-1]
    assert evidence.sha256
    if "contains" in expected:
        assert any(expected["contains"] in item.text for item in deciding.evidence)
    if "line" in expected:
        assert expected["line"] in [item.line for item in deciding.evidence]
    if "note" in expected:
        assert evidence.note == expected["note"]
    assert all(len(item.text) <= 500 for item in deciding.evidence)
