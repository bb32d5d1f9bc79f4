"""Verify the decision log again and again, and tell Prometheus when that last went well.

A log that nobody reads proves nothing. This runs `sekisho log verify`, and only when it answers 0 puts
`sekisho_log_last_verified_timestamp_seconds` into a text file for node_exporter's textfile collector.

    python deploy/verify_log.py --log sqlite:///sekisho.db --textfile verified.prom --every 86400

Exit code: that of `sekisho log verify`. With `--every` it goes on, until the log turns out to be tampered
with or incomplete (4): then it ends, because what follows is for people.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TAMPERED = 4
RETRY_SECONDS = 300  # a log that is not there yet, or busy, is worth asking for soon
METRIC = "sekisho_log_last_verified_timestamp_seconds"


def render_metric(verified_at: float) -> str:
    """Return the text file: when the log was last verified, in seconds since the epoch."""
    return (
        f"# HELP {METRIC} When the decision log was last verified from its first record to its last.\n"
        f"# TYPE {METRIC} gauge\n"
        f"{METRIC} {verified_at:.3f}\n"
    )


def verify_once(log: str, textfile: Path) -> int:
    """Verify, and note the time when it went well. Return the exit code of the verification."""
    sekisho = Path(sys.executable).with_name("sekisho")
    code = subprocess.run([str(sekisho), "log", "verify", "--log", log], check=False).returncode  # noqa: S603 - our own command
    if code == 0:
        beside = textfile.with_name(f"{textfile.name}.{os.getpid()}.part")
        beside.write_text(render_metric(time.time()), encoding="utf-8")
        beside.chmod(0o644)  # another user, node_exporter's, reads it
        beside.replace(textfile)
    return code


def main() -> int:
    """Verify once, or every so many seconds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--log", required=True, help="SQLAlchemy URL of the decision log")
    parser.add_argument("--textfile", required=True, type=Path, help="file that receives the metric")
    parser.add_argument("--every", type=float, help="seconds between verifications; without it, once")
    options = parser.parse_args()
    # A container's first process has to ask for being stopped; 128 + 15 is what a shell would report.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    while True:
        try:
            code = verify_once(options.log, options.textfile)
        except OSError as error:
            print(f"verify_log: {error}", file=sys.stderr)
            code = 1
        if options.every is None or code == TAMPERED:
            return code
        time.sleep(options.every if code == 0 else min(options.every, RETRY_SECONDS))


if __name__ == "__main__":
    sys.exit(main())
