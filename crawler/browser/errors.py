"""What the browser says when it is not there, or when a page could not be rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocklists.errors import ExitCode, SekishoError

if TYPE_CHECKING:
    from policies.vocabulary import Reason


class BrowserMissingError(SekishoError):
    """The extra or Chromium is not there, or does not start: says what to install or to set."""

    exit_code = ExitCode.REFUSED


class RenderingEnded(Exception):  # noqa: N818 - an answer, not a failure
    """A page was not rendered to its end: `reason` is the code, `note` says in words what happened."""

    def __init__(self, reason: Reason, note: str) -> None:
        super().__init__(note)
        self.reason = reason
        self.note = note
