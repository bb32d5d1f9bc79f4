"""A document goes with its run, and never one that another run names, however late it names it."""

from __future__ import annotations

import needed_documents
import pytest

MOMENTS = ["before", "while it is planned", "after the announcement", "after it was looked for"]


@pytest.fixture
def url(pg, monkeypatch):
    """The log as who prunes names it."""
    pg.use(monkeypatch)
    return pg.server.url(pg.name, user="keep_login")


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_run_under_way_decides_by_stays_whenever_it_names_it(pg, url, monkeypatch, moment):
    needed_documents.needed_by_whom(pg, url, monkeypatch, moment)


def test_pruning_waits_for_a_record_that_is_appended_and_not_committed(pg, url):
    needed_documents.appended_but_not_committed(pg, url)


def test_what_was_stored_again_goes_with_the_run_that_stored_it_again(pg, url):
    needed_documents.stored_again(pg, url)


def test_a_file_that_a_run_under_way_fetched_stays_until_it_quotes_it(pg, url):
    needed_documents.fetched_and_not_yet_quoted(pg, url)
