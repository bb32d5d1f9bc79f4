"""Says whether a crawl is healthy: its metrics are served, and no write to the decision log has failed.

Exit code 0 when healthy, 1 when not. `SEKISHO_HEALTH_URL` names another endpoint than the usual one.
Uses the standard library only.
"""

from __future__ import annotations

import os
import re
import sys
from urllib.request import ProxyHandler, build_opener

USUAL = "http://127.0.0.1:9410/metrics"
WRITE_ERRORS = re.compile(r"^sekisho_log_write_errors_total(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def check_health(metrics: str) -> str:
    """Return what is wrong with a crawl that exposes these metrics, or nothing."""
    found = WRITE_ERRORS.findall(metrics)
    if not found:
        return "no count of write errors: this is not the endpoint of a crawl"
    if any(float(value) > 0 for value in found):
        return "writing the decision log has failed"
    return ""


def main() -> int:
    """Ask the endpoint once."""
    url = os.environ.get("SEKISHO_HEALTH_URL", USUAL)
    try:
        # Without proxies: they know nothing of this machine.
        with build_opener(ProxyHandler({})).open(url, timeout=4) as answer:
            problem = check_health(answer.read().decode())
    except (OSError, ValueError) as error:
        problem = f"{url}: {error}"
    if problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
