"""Where the elements of a page end: for readers that leave some of them out.

An end tag closes the element of its name that was opened last, and whatever was left open in it; one without
such an element closes nothing. What is never closed ends with the page. Browsers know more rules; none of
them is needed to tell furniture from text. Decides nothing; pure; linear in the number of tags; never raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.signals.page_markup import VOID

if TYPE_CHECKING:
    from policies.signals.page_opened import Page


def element_ends(page: Page) -> list[int]:
    """Return for each tag, by number, the number of the end tag that closes its element.

    The number of tags for an element that is never closed; its own number for a tag that opens none. Asked by
    `page.once(element_ends)`.
    """
    tags, text = page.tags, page.text
    count = len(tags)
    ends = list(range(count))
    names: list[str] = []
    numbers: list[int] = []
    opened: dict[str, int] = {}
    for number, (_, name, closing, start, end, _) in enumerate(tags):
        if not closing:
            if name not in VOID and not text.endswith("/>", start, end):
                names.append(name)
                numbers.append(number)
                opened[name] = opened.get(name, 0) + 1
        elif opened.get(name):
            while True:
                last = names.pop()
                ends[numbers.pop()] = number
                opened[last] -= 1
                if last == name:
                    break
    for number in numbers:
        ends[number] = count
    return ends
