"""Every numbered hard case of the signals has a test with its number in its name: what they ask, and where.

The cases are numbered 1 to 74. A test names one as `test_case_NN_…`, several as `test_cases_6_and_8_…`, a
stretch of them as `test_cases_1_to_6_…`. The hard cases of block lists are numbered on their own and are named
`hard_case`; they do not count here.
"""

import re
from pathlib import Path

TESTS = Path(__file__).parent
LAST = 74
NAME = re.compile(r"^(?:async )?def test_cases?_((?:\d+(?:_to|_and)?_)+)", re.MULTILINE)
# In each a server answers, or may not be asked: they are tested over the road.
FETCHING = frozenset(range(1, 75))


def numbered(*folders):
    """Return the numbers that the names of tests in these folders say."""
    found = set()
    for folder in folders:
        for path in (TESTS / folder).rglob("test_*.py"):
            for words in NAME.findall(path.read_text(encoding="utf-8")):
                parts = words.strip("_").split("_")
                found.update(int(part) for part in parts if part.isdigit())
                for place in range(1, len(parts) - 1):
                    if parts[place] == "to":
                        found.update(range(int(parts[place - 1]), int(parts[place + 1])))
    return found


def test_no_hard_case_is_without_a_test():
    assert set(range(1, LAST + 1)) - numbered("policies", "crawls", "crawler") == set()


def test_no_hard_case_about_fetching_is_without_a_test_of_what_a_server_received():
    assert FETCHING - numbered("crawls") == set()
