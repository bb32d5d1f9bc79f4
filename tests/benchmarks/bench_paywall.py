"""How often the labelled pages under tests/sites are told apart: confusion counts, precision and recall.

The pages are invented and imitate shapes of real ones: the figures say which shapes are known, not how often
they occur. `make bench` prints them.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from labelled import cases, figures, label


def main() -> None:
    """Print one line a kind of page, then precision and recall, then what went wrong."""
    found = figures()
    print(f"{'labelled pages':<24}{'refused':>9}{'kept':>9}")
    for kind in ("declared paywall", "paywall by its gate", "login", "challenge", "open"):
        refused, kept = found.of(kind)
        print(f"{kind:<24}{refused:>9}{kept:>9}")
    print(f"{len(cases())} pages, precision {found.precision:.3f}, recall {found.recall:.3f}")
    for case in found.missed:
        print(f"missed  {case}: {label(case).known_limit or label(case).about}")
    for case in found.wrong:
        print(f"refused {case}: {label(case).about}")


if __name__ == "__main__":
    main()
