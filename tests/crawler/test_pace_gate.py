"""Which origins the scheduler lets a request out of: counted with a pacer on a clock of the test's own."""

import asyncio

import pytest
from scrapy import Request

from crawler import pace_gate as module
from crawler.pace_gate import BLOCKED, Gate
from crawler.pace_local import LocalPacer
from policies.vocabulary import Origin

ONE = Origin(scheme="http", host="one.example", port=80)
WWW = Origin(scheme="http", host="www.family.example", port=80)
API = Origin(scheme="http", host="api.family.example", port=80)


class Held:
    """A taker that holds requests of every origin and notes what it is told."""

    def __init__(self):
        self.touched = []

    def touch(self, key):
        self.touched.append(key)
        return True


@pytest.fixture
def clock():
    now = [1000.0]

    def read():
        return now[0]

    read.set = lambda value: now.__setitem__(0, value)
    return read


@pytest.fixture
def gate(clock):
    return Gate(LocalPacer(clock, 60.0), longest_hold=60.0)


def taken(gate, origin, path="/"):
    request = Request(f"{origin}{path}")
    gate.take(gate.key(request), request)
    return request


def ran(gate, pacer, origin):
    """Go through one whole exchange with an origin."""

    async def exchange():
        turn = await pacer.turn(origin)
        await turn.leave()
        turn.done()

    asyncio.run(exchange())


def test_of_a_stranger_one_request_is_let_out_and_of_a_free_origin_as_many_as_one_likes(gate):
    key = str(ONE)
    assert gate.wait(key) == 0.0
    request = taken(gate, ONE)
    assert gate.wait(key) == BLOCKED
    gate.pacer.learn(ONE, 0.0)
    assert gate.wait(key) == 0.0
    gate.release(request)
    gate.release(request)  # twice is once
    assert gate.count(key) == 0


def test_of_an_origin_with_a_delay_one_request_is_out_and_the_next_shortly_before_its_turn(gate, clock):
    gate.pacer.learn(ONE, 10.0)
    request = taken(gate, ONE)
    assert gate.wait(str(ONE)) == BLOCKED
    ran(gate, gate.pacer, ONE)
    gate.release(request)
    assert 9.8 < gate.wait(str(ONE)) < 10.0
    clock.set(1009.95)
    assert gate.wait(str(ONE)) == 0.0


def test_of_an_origin_in_trouble_one_request_is_out_at_a_time(clock):
    alone = {ONE}
    gate = Gate(LocalPacer(clock, 60.0), longest_hold=60.0, goes_alone=alone.__contains__)
    gate.pacer.learn(ONE, 0.0)
    gate.pacer.hold(ONE, 5.0)
    clock.set(1010.0)
    assert gate.wait(str(ONE)) == 0.0
    request = taken(gate, ONE)
    assert gate.wait(str(ONE)) == BLOCKED
    gate.release(request)
    assert gate.wait(str(ONE)) == 0.0
    alone.clear()
    taken(gate, ONE)
    assert gate.wait(str(ONE)) == 0.0


def test_a_pause_beyond_the_cap_lets_requests_out_to_be_put_off_unless_a_disk_keeps_them(gate):
    gate.pacer.learn(ONE, 0.0)
    gate.pacer.hold(ONE, 1000.0)
    assert gate.wait(str(ONE)) == 0.0
    gate.keeps_on_disk = True
    assert gate.wait(str(ONE)) > 900.0


def test_hosts_of_a_domain_get_the_turn_in_the_order_in_which_they_wanted_it(gate, clock):
    held = Held()
    gate.open(None, held)
    third = Origin(scheme="http", host="cdn.family.example", port=80)
    for origin in (WWW, API, third):
        gate.pacer.learn(origin, 2.0)
    request = taken(gate, WWW)
    assert gate.wait(str(third)) == BLOCKED
    assert gate.wait(str(API)) == BLOCKED
    held.touched.clear()
    gate.release(request)
    assert held.touched == [str(WWW), str(third)]


def test_an_origin_whose_requests_come_back_again_and_again_is_left_for_a_while(gate):
    async def scenario():
        gate.pacer.learn(ONE, 0.0)
        gate.pacer.hold(ONE, 0.0001)
        waits = []
        for _ in range(12):
            request = taken(gate, ONE)
            gate.give_back(request)
            assert gate.takes_back(request)
            assert not gate.takes_back(request)
            gate.release(request)
            waits.append(gate.wait(str(ONE)))
        request = taken(gate, ONE)
        gate.has_turn(request)
        gate.release(request)
        return waits, gate.wait(str(ONE))

    waits, after = asyncio.run(scenario())
    assert waits[:3] == [0.0, 0.0, 0.0]
    assert waits[-1] > 1.0
    assert max(waits) <= module._LONGEST_PATIENCE
    assert after == 0.0
