"""With a URL go the documents in which it stands, and no others: evidence is not lost by a slip of the pen."""

from __future__ import annotations

import pytest

from blocklists.errors import ExitCode
from crawler.cli import main
from crawler.decisionlog.verify import verify_log

URL = "http://a.example/page/1"
STANDS = (
    '{"about":"http://a.example/page/1"}', "see http://a.example/page/1.", "(http://a.example/page/1), and so on",
    "<a href=http://a.example/page/1>", "http://a.example/page/1#top", "http://b.example/?to=http://a.example/page/1",
    "x http://a.example/page/10 and http://a.example/page/1", "http://a.example/page/1を参照", "http://a.example/page/1",
    "http://a.example/page/1\\n", "is it http://a.example/page/1?", '{"text":"http://a.example/page/1,JP,2024"}',
    "Disallow: http://a.example/page/1$", "http://a.example/page/1*", "http://a.example/page/1,ftp://x",
    "http://a.example/page/1;v=2",
)  # fmt: skip
OTHERS = (
    '{"about":"http://a.example/page/10"}', "http://a.example/page/1/photo", "http://a.example/page/1?q=2",
    "http://a.example/page/1.html", "http://a.example/page/1-2", "http://a.example/page/1%20", "http://a.example/",
    "http://a.example/page/1&x", "no URL in here",
)  # fmt: skip


def erase(log, url):
    return main(["log", "erase", url, "--basis", "request", "--actor", "t", "--log", log.url, "--yes"])


@pytest.fixture
def mentioned(log, entry, documents):
    """A log with a document of each kind, and a record of the URL."""
    writer = log.open()
    docs = [documents["policy"], documents["blocklist"]]
    for text in (*STANDS, *OTHERS):
        writer.append(entry(url="http://a.example/other", basis=text.encode()), docs)
    writer.append(entry(url=URL), docs)
    assert writer.close(seal=True) is not None
    return log


def bases(log):
    return {body.decode() for (body,) in log.raw().execute("SELECT body FROM document WHERE kind = 'basis'")}


def test_check_23_what_quotes_the_url_goes_with_it_and_what_quotes_another_stays(mentioned):
    assert bases(mentioned) >= {*STANDS, *OTHERS}
    assert erase(mentioned, URL) == 0
    assert bases(mentioned) & {*STANDS, *OTHERS} == {*OTHERS}
    with mentioned.reader() as reader:
        assert verify_log(reader).findings == ()


@pytest.mark.parametrize("text", ["", " ", "e", "http", "page/1", "a.example", '"'])
def test_what_is_no_url_erases_nothing(mentioned, text, capsys):
    """As when the variable of a script is empty: every document has it somewhere."""
    before = bases(mentioned)
    assert erase(mentioned, text) == ExitCode.USAGE
    assert "no record of this log has the URL" in capsys.readouterr().err
    assert bases(mentioned) == before
    assert main(["log", "erase", text, "--basis", "b", "--actor", "t", "--log", mentioned.url]) == 0
    assert "document" not in capsys.readouterr().out


def test_the_root_of_a_site_is_erased_without_the_evidence_of_its_pages(mentioned):
    root = "http://a.example/"
    assert erase(mentioned, root) == 0
    assert bases(mentioned) == {*STANDS, *OTHERS} - {root}


def test_a_record_whose_url_is_empty_takes_no_document_along(log, entry, documents):
    writer = log.open()
    writer.append(entry(url="", basis=b"a basis"), [documents["policy"], documents["blocklist"]])
    assert writer.close(seal=True) is not None
    assert erase(log, "") == 0
    assert bases(log) == {"a basis"}
    with log.reader() as reader:
        assert verify_log(reader).findings == ()
