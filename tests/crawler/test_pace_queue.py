"""The scheduler's queue: what it keeps in mind of origins whose turn has not come."""

from __future__ import annotations

from crawler.pace_queue import PacedPriorityQueue


def test_origins_that_are_woken_and_put_off_again_and_again_leave_no_alarms_behind():
    queue = PacedPriorityQueue.__new__(PacedPriorityQueue)  # no crawl: alarms are its own
    queue._asleep, queue._alarms = {}, []
    for time in range(20_000):
        queue._sleep(f"http://h{time % 3}.example", 1e9 + time)
    assert len(queue._alarms) < 2_000
    assert set(queue._asleep.items()) <= {(key, at) for at, key in queue._alarms}
    assert queue._alarms[0] == min(queue._alarms)
