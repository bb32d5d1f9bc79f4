"""Work done in a forked process, which may be killed in the middle: a death costs milliseconds, no interpreter."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from contextlib import suppress


class Forked:
    """A process that does `work` and ends: with 0, with 70 after an exception, or by the signal that killed it."""

    def __init__(self, work):
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # threads of the parent hold nothing that we need
            self.pid = os.fork()
        self._code = None
        if self.pid == 0:
            code = 70
            with suppress(BaseException):
                try:
                    work()
                    code = 0
                except BaseException:
                    traceback.print_exc()
            os._exit(code)

    @property
    def running(self):
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is None

    def wait(self):
        """Return how it ended, as `subprocess` would."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code


def die():
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def forked(work):
    """Do `work` in a process of its own and return how it ended."""
    return Forked(work).wait()
