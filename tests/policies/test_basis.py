import pytest

from policies.basis import decode_basis, encode_basis, quoted_by, quoted_digests
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


def quoting(*digests):
    evidence = tuple(Evidence(source="s", sha256=digest, text='"sha256":"' + "ab" * 32) for digest in digests)
    skip = Verdict(rule="robots", action=Action.SKIP, reason=Reason.ROBOTS_DISALLOW, evidence=evidence)
    return Assessment(verdicts=(*FULL.verdicts, skip, skip))


def test_what_a_basis_quotes_is_named_once_in_its_order():
    second, first = "cd" * 32, "ab" * 32
    assessment = quoting(second, None, first, "", second)
    assert quoted_by(assessment.verdicts) == (second, first)
    assert quoted_digests(encode_basis(assessment)) == (bytes.fromhex(second), bytes.fromhex(first))
    assert quoted_digests(encode_basis(FULL)) == (), "a list is cited, and not kept"


@pytest.mark.parametrize("digest", ['"zz"', "5", '["ab"]', '{"a":1}', "true"])
def test_a_basis_whose_digest_is_none_is_refused_and_not_passed_over(digest):
    document = encode_basis(quoting("ab" * 32)).replace(
        b'"sha256":"' + b"ab" * 32 + b'"', b'"sha256":' + digest.encode()
    )
    with pytest.raises(ValueError, match=r"not a basis|hexadecimal"):
        quoted_digests(document)


def test_what_is_empty_is_read_as_it_was_written():
    cited = Citation(source_id="", pattern="", match="", weight="", line=0, text="", source_sha256="")
    evidence = Evidence(source="", sha256="ab" * 32, citations=(cited,))
    skip = Verdict(rule="robots", action=Action.SKIP, reason=Reason.ROBOTS_DISALLOW, evidence=(evidence,))
    assessment = Assessment(verdicts=(skip,))
    assert decode_basis(encode_basis(assessment)) == assessment
    assert quoted_digests(encode_basis(assessment)) == (bytes.fromhex("ab" * 32),)
