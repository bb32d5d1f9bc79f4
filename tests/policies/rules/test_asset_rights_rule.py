"""What rights in a file mean for each purpose."""

import pytest

from policies.facts import ResponseFacts
from policies.rules.asset_rights import judge_asset, open_asset
from policies.rules.judged_rows import Intent
from policies.vocabulary import Action, Purpose, Reason


def image(key, media_type="image/jpeg"):
    body = f'\x00<x xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining="{key}"/>'.encode()
    return ResponseFacts(
        url="https://a.example/i.jpg", status=200, headers=(("content-type", media_type),), body=body
    )


def refused(response):
    return {
        purpose
        for purpose in Purpose
        if judge_asset(response, Intent(token="x", purposes=frozenset({purpose}))).action is Action.SKIP
    }


def test_row_18_each_value_refuses_the_purposes_of_its_row():
    assert refused(image("DMI-PROHIBITED")) == set(Purpose)
    assert refused(image("DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING")) == set(Purpose) - {Purpose.SEARCH}
    training = {Purpose.AI_TRAINING, Purpose.ARCHIVE, Purpose.RESEARCH}
    assert refused(image("DMI-PROHIBITED-GENAIMLTRAINING")) == training
    assert refused(image("DMI-ALLOWED")) == set()


def test_the_words_and_the_place_are_cited():
    verdict = judge_asset(
        image("DMI-PROHIBITED"), Intent(token="x", purposes=frozenset({Purpose.AI_TRAINING}))
    )
    assert verdict.reason is Reason.ASSET_RIGHTS
    (evidence,) = verdict.evidence
    assert "DMI-PROHIBITED" in evidence.text
    assert "PLUS at octet" in evidence.note
    assert len(evidence.sha256) == 64


@pytest.mark.parametrize("media_type", ["text/html", "text/plain"])
def test_a_page_about_rights_is_kept(media_type):
    assert refused(image("DMI-PROHIBITED", media_type)) == set()


def test_a_reservation_is_handed_on_and_not_judged_here():
    body = b'%PDF-1.7 <x xmlns:tdm="http://www.w3.org/ns/tdmrep/" tdm:reservation="1"/>'
    response = ResponseFacts(url="https://a.example/d", status=200, headers=(), body=body)
    assert open_asset(response).reservation.reserved
    assert refused(response) == set()
