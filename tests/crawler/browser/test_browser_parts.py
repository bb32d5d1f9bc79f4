"""The parts of rendering that need no browser: finding one, the dead end, limits, and how answers are shown."""

import asyncio
import contextlib
import re

import pytest

from crawler.browser import locate
from crawler.browser.closed_ways import LONGEST_ADDRESS, ClosedWays
from crawler.browser.dead_end import DeadEnd, address_of
from crawler.browser.errors import BrowserMissingError
from crawler.browser.limits import Limits, why_left_out
from crawler.browser.page_script import BINDING, PAGE_SCRIPT
from crawler.browser.showing import is_shared, leading_to, shown_fields
from crawler.browser.subrequests import Got
from policies.vocabulary import Reason, RequestKind

LIMITS = Limits(seconds=5, requests=10, octets=1000, skipped=frozenset({"image"}))


def test_a_missing_extra_is_named_with_the_words_that_install_it(monkeypatch):
    monkeypatch.setattr(locate, "find_spec", lambda _: None)
    with pytest.raises(BrowserMissingError, match=re.escape("pip install 'sekisho[browser]'")):
        locate.require_browser("auto")


def test_a_missing_chromium_is_named_with_what_to_install_or_to_set(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BrowserMissingError, match=r"apt install chromium.*SEKISHO_BROWSER"):
        locate.find_chromium("auto")
    with pytest.raises(BrowserMissingError, match=r"'/nowhere/chromium'.*apt install chromium"):
        locate.require_if_named("/nowhere/chromium")
    locate.require_if_named("auto")  # a crawl that renders nothing needs none


def test_a_chromium_is_found_by_path_by_name_and_by_itself(tmp_path, monkeypatch):
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {locate.find_chromium(wanted) for wanted in ("auto", "chromium", str(program))} == {program}


class Log:
    """Takes the place of a checkpoint and keeps what was refused."""

    class agent:  # noqa: N801 - as in a checkpoint
        class policy:  # noqa: N801 - as above
            user_agent = "ExampleBot/1.0"

    def __init__(self):
        self.refused = []
        self.record = self
        self.tally = self

    def refusal(self, facts, verdicts):
        self.refused.append((facts, verdicts[-1]))

    def skip(self, verdict, url):
        pass


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("GET http://a.example/x?y HTTP/1.1", "http://a.example/x?y"),
        ("CONNECT a.example:443 HTTP/1.1", "https://a.example/"),
        ("CONNECT a.example:8080 HTTP/1.1", "https://a.example:8080/"),
    ],
)
def test_the_dead_end_answers_403_and_records_the_address(line, address):
    method, target, _ = line.split(" ")
    assert address_of(method, target) == address
    log = Log()

    async def ask():
        end = DeadEnd(ClosedWays(log))
        await end.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", end.port)
        writer.write(f"{line}\r\nHost: x\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await end.close()
        return answer

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 403 ")
    ((facts, verdict),) = log.refused
    assert (facts.url, facts.kind, verdict.reason) == (address, RequestKind.SUBRESOURCE, Reason.UNGOVERNED)


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"nonsense\r\n", b"x" * 70_000, b"\x16\x03\x01\x00\xff\r\n"])
def test_the_dead_end_survives_what_is_no_request(sent):
    log = Log()

    async def ask():
        end = DeadEnd(ClosedWays(log))
        await end.open()
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", end.port)
            writer.write(sent)
            writer.write_eof()
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
        await end.close()

    asyncio.run(asyncio.wait_for(ask(), 20))
    assert log.refused == []


def test_a_closed_way_is_recorded_once_in_words_that_a_terminal_can_show():
    log = Log()
    closed = ClosedWays(log)
    for _ in range(3):
        closed.refuse("wss://A.example/\x1b[2Jx" + "y" * 5000, Reason.UNGOVERNED, "no\nte", source="browser")
    ((facts, verdict),) = log.refused
    assert closed.repeated == 2
    assert facts.url.isprintable()
    assert len(facts.url) == LONGEST_ADDRESS
    assert facts.host == "a.example"
    assert verdict.evidence[0].note == "no?te"
    closed.refuse("stun:x", Reason.UNGOVERNED, "", source="browser")
    assert log.refused[-1][0].host == ""


@pytest.mark.parametrize(
    ("kind", "asked", "full", "reason"),
    [
        ("script", 0, False, None),
        ("script", 9, False, None),
        ("script", 10, False, Reason.RENDER_LIMIT),
        ("script", 0, True, Reason.RENDER_LIMIT),
        ("image", 0, False, Reason.REFUSED_BY_SPIDER),
        ("eventsource", 0, False, Reason.UNGOVERNED),
    ],
)
def test_limits_say_what_is_left_out_and_why(kind, asked, full, reason):
    found = why_left_out(kind, LIMITS, asked=asked, full=full)
    assert (found and found[0]) == reason


@pytest.mark.parametrize(
    ("final", "shared", "may"),
    [
        ("https://a.example/x", None, True),
        ("https://b.example/x", None, False),
        ("https://b.example/x", "*", True),
        ("https://b.example/x", "https://a.example", True),
        ("https://b.example/x", "https://c.example", False),
        ("http://a.example/x", None, False),
        ("https://b.example/x", "null", False),
        ("https://b.example/x", "", False),
    ],
)
def test_a_page_reads_answers_of_its_own_origin_and_what_others_share(final, shared, may):
    fields = () if shared is None else (("access-control-allow-origin", shared),)
    assert is_shared(Got(status=200, fields=fields, final_url=final), "https://a.example/page") is may


def test_cookies_codings_and_orders_to_report_are_not_handed_to_the_browser():
    fields = (
        ("set-cookie", "a=1"), ("content-encoding", "gzip"), ("nel", "{}"), ("content-type", "text/css"),
        ("content-security-policy", "a"), ("content-security-policy", "b"),
    )  # fmt: skip
    assert shown_fields(fields) == {"content-type": "text/css", "content-security-policy": "a, b"}


def test_what_stands_in_for_a_redirect_cannot_be_broken_out_of():
    hostile = 'https://a.example/"><script>x</script>\n'
    assert "<script>" not in leading_to(hostile, document=True)
    assert leading_to('https://a.example/");x', document=False) == '@import url("https://a.example/\\");x");'


def test_the_script_of_every_page_tells_by_the_binding_that_exists():
    assert BINDING in PAGE_SCRIPT
