"""The waiting room: who is inside takes no place, and who comes out takes one when there is one."""

from __future__ import annotations

import asyncio

import pytest

from crawler import pace_room as module
from crawler.pace_room import WaitingRoom
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
