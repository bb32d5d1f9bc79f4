"""The root of every error that Sekisho raises on purpose.

It stands in the lowest package so that every other package can extend it; nothing here imports anything.

    SekishoError                      exit 1
    ├── blocklists.errors.ListError   exit 5  a list or its manifest cannot be trusted
    ├── policies: AgentError          exit 5  an agent file is missing or invalid
    ├── crawler.decisionlog: LogError exit 5  the log cannot be opened or written
    │   ├── IntegrityError            exit 4  the log was changed, or something is missing
    │   └── UnverifiableError         exit 6  a signature cannot be verified on this machine
    └── UsageError                    exit 2  the command line asks for something that does not exist

Exit codes are those of every `sekisho` command: 0 done, 1 unexpected failure, 2 usage or missing extra,
3 done with findings, 4 integrity failure, 5 refused, 6 cannot be verified here, 75 try later.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a `sekisho` process says to its caller."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    FINDINGS = 3
    TAMPERED = 4
    REFUSED = 5
    UNVERIFIABLE = 6
    TRY_LATER = 75


class SekishoError(Exception):
    """An error with one readable line: what happened, where, and what to do."""

    exit_code: ExitCode = ExitCode.FAILED


class UsageError(SekishoError):
    """The command line asks for something that does not exist."""

    exit_code = ExitCode.USAGE


class ListError(SekishoError):
    """A block list or its manifest cannot be read or trusted; nothing is fetched without it."""

    exit_code = ExitCode.REFUSED
