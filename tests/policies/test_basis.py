import pytest

from policies.basis import decode_basis, encode_basis
from policies.vocabulary import Action, Assessment, Citation, Evidence, Reason, Verdict

FULL = Assessment(
    verdicts=(
        Verdict(rule="scope", action=Action.FETCH, reason=Reason.ALLOWED),
        Verdict(
            rule="piracy",
            action=Action.SKIP,
            reason=Reason.PIRACY_LIST,
            evidence=(
                Evidence(
                    source="list:demo",
                    line=3,
                    text="bad.example",
                    citations=(
                        Citation(
                            source_id="demo",
                            pattern="bad.example",
                            match="subtree",
                            weight="court_order",
                            line=3,
                            text="bad.example",
                            source_sha256="00" * 32,
                        ),
                    ),
                ),
            ),
        ),
    )
)


def test_a_basis_survives_the_round_trip_and_encodes_the_same_bytes_again():
    assert decode_basis(encode_basis(FULL)) == FULL
    assert encode_basis(decode_basis(encode_basis(FULL))) == encode_basis(FULL)


def test_the_first_verdict_that_does_not_pass_decides():
    assert FULL.deciding.reason is Reason.PIRACY_LIST
    assert not FULL.passes


@pytest.mark.parametrize("document", [b"", b"{}", b"[]", b'{"schema":"other/1","rules":[]}', b"\xff"])
def test_what_is_not_a_basis_is_refused_with_a_value_error(document):
    with pytest.raises(ValueError):
        decode_basis(document)


def test_an_empty_assessment_cannot_be_made():
    with pytest.raises(ValueError, match="at least one"):
        Assessment(verdicts=())
