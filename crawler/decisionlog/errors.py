"""What can go wrong with a log, in words for the person at the terminal. Imports the root error only."""

from __future__ import annotations

from typing import Self

from blocklists.errors import ExitCode, SekishoError


class LogError(SekishoError):
    """The log cannot be opened, read or written; while it lasts nothing is fetched (exit 5)."""

    exit_code = ExitCode.REFUSED

    def again(self) -> Self:
        """Return the same error to be raised in another place, so that tracebacks do not pile up on one."""
        copy = type(self)(*self.args)
        copy.__cause__ = self
        return copy


class IntegrityError(LogError):
    """The log was changed after it was written, or a part of it is missing (exit 4)."""

    exit_code = ExitCode.TAMPERED


class UnverifiableError(LogError):
    """A signature can be verified on another machine and not on this one: neither good nor wrong (exit 6)."""

    exit_code = ExitCode.UNVERIFIABLE
