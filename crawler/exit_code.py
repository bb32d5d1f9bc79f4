"""The exit code of a `scrapy` command whose crawl was refused or lost its log.

Scrapy 2.19 gives every command an attribute `exitcode` and sets it to 1 when a crawl did not begin
(`scrapy/commands/crawl.py`); 1 is also what Python answers to any crash. 5 says: refused, or the log could
not be written. A script that runs a crawler by itself keeps its own exit code; there `bootstrap_failed` is
true.
"""

from __future__ import annotations

import sys
from typing import Any

from blocklists.errors import ExitCode


class _Settled:
    """An exit code that a command cannot overwrite any more."""

    def __get__(self, instance: object, owner: object = None) -> int:
        return int(ExitCode.REFUSED)

    def __set__(self, instance: object, value: int) -> None:
        """Keep the code: a crawl that did not begin must not end as a crash or a success."""


def exit_refused() -> None:
    """Let the `scrapy` command that runs, if one does, end with 5."""
    commands: Any = sys.modules.get("scrapy.commands")
    if commands is not None and hasattr(commands, "ScrapyCommand"):
        commands.ScrapyCommand.exitcode = _Settled()
