"""Rendering of pages in a browser that has no way out but the door.

Decides nothing: a page that was fetched, judged and is about to be kept is shown to Chromium, and whatever
Chromium asks for while it runs the page's scripts becomes a request of our own, judged, recorded and paced
like any other. What cannot be asked that way is closed (`page_script.py`) or ends in `dead_end.py`.
Needs the extra `browser`; nothing here imports it before a page is to be rendered.
"""
