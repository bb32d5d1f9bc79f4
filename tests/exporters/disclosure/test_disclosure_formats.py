"""The same disclosure in every format and language: complete, inert whatever a site wrote, and repeatable."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import string

import lxml.html
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from exporters.disclosure.canonical import encode_disclosure
from exporters.disclosure.codes import code_versions, load_code
from exporters.disclosure.config import ConfigError, DisclosureConfig
from exporters.disclosure.facts import Kind
from exporters.disclosure.families import Family
from exporters.disclosure.markdown import code_span, escape
from exporters.disclosure.publication import render_files
from exporters.disclosure.sheet import encode_sheet, safe_cell
from exporters.disclosure.wording import LANGUAGES, load_wording
from policies.agents import Honour
from policies.vocabulary import Purpose

HOST = "news.example.co.jp"
HOSTILE = (
    "https://news.example.co.jp/private/<script>alert(1)</script>",
    'https://news.example.co.jp/private/"onmouseover="alert(1)',
    "https://news.example.co.jp/private/`|`x`|[a](javascript:alert(1))<img src=x onerror=alert(1)>",
    "https://news.example.co.jp/private/\u202egnp.exe\u2066",
    "https://news.example.co.jp/private/a\nb\r\x1b[31m",
    "https://news.example.co.jp/private/{{ 7 * 7 }}{% raw %}{key}",
)
HOSTILE_TYPES = ("<b>html</b>", "=cmd|' /C calc'!A0", "text/html|x", "`code`")


def pages(files: dict[str, bytes], suffix: str) -> dict[str, str]:
    return {name: body.decode("utf-8") for name, body in files.items() if name.endswith(suffix)}


@pytest.fixture
def files(quiet, disclosed):
    return render_files(disclosed(quiet), LANGUAGES)


@pytest.fixture
def hostile(book, kit, disclosed):
    run = book.run()
    run.open()
    kit.fill(run)
    for url in HOSTILE:
        run.page(url, HOST, force=True)
    for media_type in HOSTILE_TYPES:
        run.page("https://blog.example.com/t", "blog.example.com", media_type=media_type)
    run.page("https://blog.example.com/evil", "blog.example.com", size=9_000_000)
    run.close()
    return disclosed(book)


def check_html(text: str, language: str) -> lxml.html.HtmlElement:
    """Check what any published page must be; return its tree."""
    tree = lxml.html.document_fromstring(text)
    assert tree.get("lang") == language
    assert len(tree.xpath("//h1")) == 1
    assert not tree.xpath(
        "//script | //iframe | //object | //embed | //form | //img | //link[@rel='stylesheet']"
    )
    assert not [name for element in tree.iter() for name in element.attrib if name.lower().startswith("on")]
    assert not tree.xpath("//@style"), "inline styles would be refused by the page's own policy"
    identities = tree.xpath("//@id")
    assert len(identities) == len(set(identities))
    for address in tree.xpath("//a/@href"):
        assert address.startswith("#") or re.fullmatch(r"disclosure\.(ja|en)\.html", address), address
        assert not address.startswith("#") or address[1:] in identities, address
    for table in tree.xpath("//table"):
        assert table.xpath("caption")
        assert table.xpath(".//th[@scope]")
    assert all(cell.get("scope") in ("row", "col") for cell in tree.xpath("//th"))
    assert tree.xpath("//svg[@role='img' and @aria-label]")
    assert "http" not in " ".join(tree.xpath("//@src | //link/@href"))
    return tree


def test_html_is_well_formed_accessible_and_loads_nothing(files):
    for language in LANGUAGES:
        check_html(files[f"disclosure.{language}.html"].decode(), language)


def test_tags_are_closed_in_order(files):
    void = {"meta", "link", "br", "hr", "rect", "input", "img"}
    for name, text in pages(files, ".html").items():
        stack = []
        for close, tag, empty in re.findall(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:\"[^\"]*\"|[^>\"])*?(/?)>", text):
            if tag in void or empty:
                continue
            if not close:
                stack.append(tag)
            else:
                assert stack.pop() == tag, name
        assert stack == [], name


def test_the_sheet_is_the_only_thing_that_the_page_may_use(files):
    text = files["disclosure.en.html"].decode()
    sheet = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = re.search(r"style-src &#39;sha256-([^&]+)&#39;|style-src 'sha256-([^']+)'", text)
    import base64

    assert base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode() in digest[0]
    assert "url(" not in sheet
    assert "@import" not in sheet


def test_hostile_texts_stay_text_in_html(hostile):
    for language in LANGUAGES:
        text = render_files(hostile, LANGUAGES)[f"disclosure.{language}.html"].decode()
        tree = check_html(text, language)
        shown = tree.text_content()
        assert "<script>alert(1)</script>" in shown
        assert "{{ 7 * 7 }}{% raw %}{key}" in shown
        assert "\\u202egnp.exe\\u2066" in shown
        assert not set("\u202e\u2066\x1b\r") & set(shown)


def test_hostile_texts_stay_text_in_markdown(hostile):
    for name, text in pages(render_files(hostile, LANGUAGES), ".md").items():
        rendered = MarkdownIt("commonmark").enable("table").render(text)
        tree = lxml.html.document_fromstring(rendered)
        assert not tree.xpath("//script | //img | //b"), name
        assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]
        assert {a.get("href") for a in tree.xpath("//a")} == {
            f"disclosure.{'en' if '.ja.' in name else 'ja'}.md"
        }, name
        assert "<script>alert(1)</script>" in tree.text_content()
        assert not set("\u202e\u2066\x1b") & set(text)
        for table in tree.xpath("//table"):
            widths = {len(row.xpath("td | th")) for row in table.xpath(".//tr")}
            assert len(widths) == 1, (name, "a cell broke out of its column")


@given(text=st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=60))
def test_escaped_markdown_says_exactly_the_text(text):
    rendered = MarkdownIt("commonmark").enable("table").render("x " + escape(text) + " x")
    tree = lxml.html.fromstring(rendered)
    assert tree.tag == "p"
    assert len(tree) == 0, rendered
    assert " ".join(tree.text_content().split()) == " ".join(f"x {text} x".split())


@given(text=st.text(string.ascii_letters + "` |\\<>&[]()!", min_size=1, max_size=30))
def test_a_code_span_holds_its_text_and_nothing_else_in_a_table_cell(text):
    document = "| a | b |\n| --- | --- |\n| " + code_span(text) + " | z |\n"
    tree = lxml.html.fragment_fromstring(
        MarkdownIt("commonmark").enable("table").render(document), create_parent=True
    )
    cells = tree.xpath(".//tbody//td")
    assert [cell.text_content().strip() for cell in cells] == [cells[0].text_content().strip(), "z"]
    if text.strip():
        assert "".join(cells[0].text_content().split()) == "".join(text.split())


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " =", "  @"])
def test_no_cell_can_be_a_formula(start):
    body = encode_sheet(("name",), [(f"{start}1+1|cmd",)])
    assert body.startswith(b"\xef\xbb\xbf")
    cell = list(csv.reader(io.StringIO(body[3:].decode())))[1][0]
    assert cell.startswith("'")


def test_numbers_stay_numbers_and_null_stays_empty():
    assert [safe_cell(-5), safe_cell(None), safe_cell("plain"), safe_cell("")] == ["-5", "", "plain", ""]


def test_domains_csv_opens_with_the_domains_of_the_page(files):
    rows = list(csv.reader(io.StringIO(files["domains.csv"].decode("utf-8-sig"))))
    assert rows == [
        ["domain", "pages_kept", "bytes_kept", "share_basis_points"],
        ["example.co.jp", "5", "200000", "5988"],
    ]


def test_json_is_canonical_and_its_digest_stands_in_every_page(files):
    body = files["disclosure.json"]
    assert rfc8785.dumps(json.loads(body)) == body
    digest = hashlib.sha256(body).hexdigest()
    for suffix in (".html", ".md"):
        for name, text in pages(files, suffix).items():
            assert digest in text, name


def test_the_same_log_and_time_give_the_same_octets(quiet, disclosed):
    first = render_files(disclosed(quiet), LANGUAGES)
    second = render_files(disclosed(quiet), LANGUAGES)
    assert first == second
    assert set(first) == {"disclosure.json", "disclosure.ja.html", "disclosure.en.html", "disclosure.ja.md",
                          "disclosure.en.md", "domains.csv"}  # fmt: skip


def test_a_contradicted_claim_is_flagged_in_every_output(hostile):
    files = render_files(hostile, LANGUAGES)
    assert json.loads(files["disclosure.json"])["contradicted"] == ["robots-txt"]
    for language in LANGUAGES:
        words = load_wording(language)
        tree = lxml.html.document_fromstring(files[f"disclosure.{language}.html"].decode())
        alarm = tree.xpath("//section[@role='alert']")[0].text_content()
        assert words("claim.robots-txt") in alarm
        assert tree.xpath("//span[contains(@class, 'contradicted')]")
        text = files[f"disclosure.{language}.md"].decode()
        assert f"⚠ {escape(words('claims.contradicted'))}" in text
        assert text.index("⚠") < text.index("\n## ")


def test_a_supported_disclosure_has_no_alarm(files):
    tree = lxml.html.document_fromstring(files["disclosure.en.html"].decode())
    assert not tree.xpath("//*[@role='alert']")
    assert "⚠" not in files["disclosure.ja.md"].decode()


def test_both_languages_have_the_same_words_and_places():
    ja, en = load_wording("ja").texts, load_wording("en").texts
    assert set(ja) == set(en)
    for key in ja:
        places = [
            {name for _, name, _, _ in string.Formatter().parse(text[key]) if name} for text in (ja, en)
        ]
        assert places[0] == places[1], key
        assert ja[key].strip(), key
        assert en[key].strip(), key


def test_every_member_of_a_closed_vocabulary_has_words(quiet, disclosed):
    document = disclosed(quiet)
    needed = {f"purpose.{purpose.value}" for purpose in Purpose} | {
        f"honour.{honour.value}" for honour in Honour
    }
    needed |= {f"family.{family.value}" for family in Family}
    needed |= {f"{part}.{claim.id}" for claim in document.claims for part in ("claim", "claim_how")}
    needed |= {f"fact.{name}" for name in document.facts}
    for language in LANGUAGES:
        assert needed <= set(load_wording(language).texts), needed - set(load_wording(language).texts)


def test_no_label_is_left_in_the_other_language(files):
    japanese = lxml.html.document_fromstring(files["disclosure.ja.html"].decode())
    for heading in japanese.xpath("//h1 | //h2 | //caption | //dt | //thead//th"):
        text = heading.text_content()
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text) or text in ("robots.txt", "SHA-256"), text
    english = lxml.html.document_fromstring(files["disclosure.en.html"].decode())
    shown = english.xpath("//main")[0].text_content()
    assert not re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", shown)


def test_every_item_of_every_code_is_answered_by_known_facts(quiet, disclosed):
    document = disclosed(quiet)
    for version in code_versions():
        code = load_code(version)
        assert len({item.id for item in code.items}) == len(code.items)
        for item in code.items:
            assert set(item.answers) <= set(document.facts), item.id
            assert set(item.withholds) <= set(document.facts), item.id
            assert item.answers or item.declared, item.id


def test_the_labels_of_the_eu_form_are_exact():
    assert [item.label_en for item in load_code("eu-template-2025-07").items] == [
        "Were crawlers used by the provider or on behalf of?",
        "If yes, specify crawler name(s)/identifier(s):",
        "Purposes of the crawler(s):",
        "General description of crawler behaviour:",
        "Period of data collection:",
        "Comprehensive description of the type of content and online sources crawled:",
        "Type of modality covered:",
        "Summary of the most relevant domain names crawled:",
        "Additional comments (optional)",
    ]


def test_the_eu_period_is_written_as_the_form_asks(files):
    assert (
        "From 05/2026 to 05/2026"
        in lxml.html.document_fromstring(files["disclosure.en.html"].decode()).text_content()
    )


def test_nothing_is_blank_what_is_missing_is_listed(quiet, disclosed):
    document = disclosed(quiet)
    subjects = {missing.subject for missing in document.missing}
    assert {"PC-1.2d", "PC-1.2c-5", "authoritative_language", "claim.third-party"} <= subjects
    tree = lxml.html.document_fromstring(render_files(document, LANGUAGES)["disclosure.en.html"].decode())
    assert not [cell for cell in tree.xpath("//td | //th | //dd") if not cell.text_content().strip()]


WITHHELD = {
    "authoritative_language": "ja",
    "provider": {"name": "Kansai Model Works", "name_ja": "関西モデル製作所", "role": "developer"},
    "models": [{"name": "Kansai-7B", "version": "2"}],
    "items": {
        "EU-2.3.8": {
            "explanation": {"en": "A list would show our sources.", "ja": "情報源が明らかになるため。"}
        },
        "PC-1.2d": {"statement": {"en": "Five years.", "ja": "5年間。"}},
    },
}


def test_a_withheld_fact_is_gone_everywhere_and_its_explanation_stands_instead(quiet, disclosed):
    document = disclosed(quiet, config=DisclosureConfig.model_validate(WITHHELD))
    files = render_files(document, LANGUAGES)
    assert "domains.csv" not in files
    for name, body in files.items():
        assert b"example.co.jp" not in body, name
    assert "A list would show our sources." in files["disclosure.en.md"].decode().replace("\\", "")
    tree = lxml.html.document_fromstring(files["disclosure.ja.html"].decode()).text_content()
    assert "情報源が明らかになるため。" in tree
    assert "5年間。" in tree
    assert "関西モデル製作所" in tree
    assert json.loads(files["disclosure.json"])["withheld"] == ["domain_file"]
    assert not [
        missing for missing in document.missing if missing.subject in ("PC-1.2d", "authoritative_language")
    ]


@pytest.mark.parametrize(
    ("identity", "words"), [("PC-9.9", "no such item"), ("PC-1.1B-crawler.name", "cannot be withheld")]
)
def test_what_cannot_be_withheld_is_refused_by_name(quiet, disclosed, identity, words):
    config = DisclosureConfig.model_validate(
        {"items": {identity: {"explanation": {"en": "No.", "ja": "いいえ。"}}}}
    )
    with pytest.raises(ConfigError, match=words) as refusal:
        disclosed(quiet, config=config)
    assert identity in str(refusal.value)


def test_numbers_too_large_for_json_are_written_as_text(quiet, disclosed):
    from dataclasses import replace

    document = disclosed(quiet)
    figure = replace(document.figures["bytes_kept"], rows=((2**60,),))
    document = replace(document, figures=document.figures | {"bytes_kept": figure})
    written = json.loads(encode_disclosure(document))["figures"][figure.id]["rows"]
    assert written == [[str(2**60)]]


def test_every_kind_of_fact_can_be_written():
    from exporters.disclosure.lines import _WRITERS

    assert set(_WRITERS) == set(Kind)


@pytest.mark.parametrize(
    ("octets", "en", "ja"),
    [(0, "0 bytes", "0 バイト"), (999, "999 bytes", "999 バイト"), (1500, "1.5 kB (1,500 bytes)", "1.5 kB(1,500 バイト)"),
     (999_999, "1 MB (999,999 bytes)", "1 MB(999,999 バイト)"),
     (123_456_789, "123 MB (123,456,789 bytes)", "123 MB(123,456,789 バイト)")],
)  # fmt: skip
def test_sizes_are_rounded_and_exact(octets, en, ja):
    assert load_wording("en").octets(octets) == en
    assert load_wording("ja").octets(octets) == ja


def test_durations_are_written_without_rounding():
    words = load_wording("en")
    assert [words.duration(seconds) for seconds in (86_400, 3_600, 90, 60, 1)] == [
        "24 hours", "1 hour", "90 seconds", "1 minute", "1 second",
    ]  # fmt: skip
    assert load_wording("ja").duration(86_400) == "24 時間"
