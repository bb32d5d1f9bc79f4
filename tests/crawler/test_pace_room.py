"""The waiting room: who is inside takes no place, and who comes out takes one when there is one."""

from __future__ import annotations

import asyncio

import pytest
from scrapy import Request

from crawler import pace_room as module
from crawler.pace_room import HostLines, WaitingRoom
from crawler.pacer import Postponed


class Crawl:
    """A room, and how many are under way of how many that may be."""

    def __init__(self, places: int = 2) -> None:
        self.places = places
        self.active = 0
        self.is_closing = False
        self.entered = 0
        self.room = WaitingRoom(
            is_closing=lambda: self.is_closing,
            excess=lambda: self.active - self.room.uncounted - self.places,
            entered=self._enter,
        )

    def _enter(self) -> None:
        self.entered += 1

    async def request(
        self, file: asyncio.Event, leaving: asyncio.Event, gone: list[int], number: int
    ) -> None:
        """Wait for a file of the site, take a place, and leave when that is allowed."""
        self.active += 1
        try:
            await self.room.inside(file.wait())
            await self.room.place()
            gone.append(number)
            await leaving.wait()
        finally:
            self.active -= 1


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_whoever_waits_inside_takes_no_place_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(module, "WAITING_ROOM", 3)
    room = Crawl().room

    async def scenario():
        door = asyncio.Event()
        inside = [asyncio.ensure_future(room.inside(door.wait())) for _ in range(5)]
        await _settle()
        most = room.uncounted
        door.set()
        await asyncio.gather(*inside)
        return most, room.uncounted

    assert asyncio.run(scenario()) == (3, 0)


def test_when_the_crawl_ends_nobody_waits_inside_or_in_line_any_more(monkeypatch):
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    crawl = Crawl(places=0)

    async def scenario():
        crawl.active = 1
        waiting = [asyncio.ensure_future(crawl.room.inside(asyncio.sleep(3600)))]
        crawl.active = 2
        waiting.append(asyncio.ensure_future(crawl.room.place()))
        await asyncio.sleep(0.02)
        assert not any(one.done() for one in waiting)
        crawl.is_closing = True
        for one in waiting:
            with pytest.raises(Postponed):
                await asyncio.wait_for(one, 5)

    asyncio.run(scenario())


def test_whoever_gives_up_waiting_takes_what_was_awaited_along():
    room = Crawl().room

    async def scenario():
        awaited = asyncio.ensure_future(asyncio.sleep(3600))
        waiting = asyncio.ensure_future(room.inside(awaited))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return awaited.cancelled(), room.uncounted

    assert asyncio.run(scenario()) == (True, 0)


@pytest.mark.parametrize("places", [1, 2, 7])
def test_of_many_that_become_free_at_once_no_more_go_than_there_are_places_and_all_in_order(places):
    crawl = Crawl(places)

    async def scenario():
        file, gone = asyncio.Event(), []
        leaving = [asyncio.Event() for _ in range(40)]
        tasks = [
            asyncio.ensure_future(crawl.request(file, leaving[number], gone, number)) for number in range(40)
        ]
        await _settle()
        assert (gone, crawl.room.uncounted) == ([], 40)
        file.set()
        await _settle()
        assert gone == list(range(places))
        for number in range(40):
            leaving[number].set()
            await _settle()
            crawl.room.call_in()
            await _settle()
            assert gone == list(range(min(40, number + 1 + places)))
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


def test_one_in_line_who_gives_up_keeps_no_place_from_the_next():
    crawl = Crawl(places=1)

    async def scenario():
        crawl.active = 3
        gives_up = asyncio.ensure_future(crawl.room.place())
        patient = asyncio.ensure_future(crawl.room.place())
        await _settle()
        assert crawl.room.uncounted == 2
        gives_up.cancel()
        await _settle()
        crawl.active = 1
        crawl.room.call_in()
        await asyncio.wait_for(patient, 5)

    asyncio.run(scenario())


def _requests(number):
    return [Request(f"http://a.example/{place}") for place in range(number)]


async def _enter(lines, requests, most=2, host="a"):
    tasks = [asyncio.ensure_future(lines.place(request, host, most)) for request in requests]
    await _settle()
    return tasks


def _inside(tasks):
    return [task.done() for task in tasks]


def test_a_host_takes_so_many_at_once_and_the_others_in_order():
    async def scenario():
        lines, requests = HostLines(is_closing=lambda: False), _requests(5)
        tasks = await _enter(lines, requests)
        assert _inside(tasks) == [True, True, False, False, False]
        other = await _enter(lines, _requests(1), host="b")
        assert _inside(other) == [True]
        for gone in range(5):
            lines.give_back(requests[gone])
            lines.give_back(requests[gone])  # again: it has none any more
            await _settle()
            assert sum(_inside(tasks)) == min(5, gone + 3)
        assert not lines._taken["a"]
        assert not lines._lines

    asyncio.run(scenario())


def test_a_request_has_one_place_however_often_it_asks():
    async def scenario():
        lines, (one, two) = HostLines(is_closing=lambda: False), _requests(2)
        await _enter(lines, [one, one, one], most=1)
        (waiting,) = await _enter(lines, [two], most=1)
        assert not waiting.done()
        lines.give_back(one)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(scenario())


@pytest.mark.parametrize("is_called", [False, True])
def test_who_leaves_a_line_keeps_no_place_from_the_next(is_called):
    async def scenario():
        lines, requests = HostLines(is_closing=lambda: False), _requests(3)
        tasks = await _enter(lines, requests, most=1)
        if is_called:
            lines.give_back(requests[0])
        tasks[1].cancel()
        await _settle()
        if not is_called:
            lines.give_back(requests[0])
        await asyncio.wait_for(tasks[2], 5)
        lines.give_back(requests[2])
        assert not lines._taken["a"]

    asyncio.run(scenario())


def test_when_the_crawl_ends_the_line_is_sent_back_one_by_one():
    closing = []

    async def scenario():
        lines, requests = HostLines(is_closing=lambda: bool(closing)), _requests(4)
        tasks = await _enter(lines, requests, most=1)
        closing.append(True)
        lines.give_back(requests[0])
        for task in tasks[1:]:
            with pytest.raises(Postponed):
                await asyncio.wait_for(task, 5)
        assert not lines._taken["a"]

    asyncio.run(scenario())
