"""A document goes with its run, and never one that another run names, however late it names it."""

from __future__ import annotations

import needed_documents
import pytest

MOMENTS = ["before", "while it is planned", "after the announcement", "after it was looked for"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_run_under_way_decides_by_stays_whenever_it_names_it(log, monkeypatch, moment):
    needed_documents.needed_by_whom(log, log.url, monkeypatch, moment)


def test_pruning_waits_for_a_record_that_is_appended_and_not_committed(log):
    needed_documents.appended_but_not_committed(log, log.url)


def test_what_was_stored_again_goes_with_the_run_that_stored_it_again(log):
    needed_documents.stored_again(log, log.url)


def test_a_file_that_a_run_under_way_fetched_stays_until_it_quotes_it(log):
    needed_documents.fetched_and_not_yet_quoted(log, log.url)
