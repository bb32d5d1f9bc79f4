"""The pace as laws, on a loop whose clock jumps to the next event: no test here waits."""

import asyncio
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import pace_local as module
from crawler.pace_local import LocalPacer
from crawler.pacer import LeftAlone, Postponed
from policies.vocabulary import Origin

ROUNDING = 1e-6
HERE = Origin(scheme="http", host="a.example", port=80)
THERE = Origin(scheme="http", host="b.example", port=80)
WWW = Origin(scheme="https", host="www.site.example", port=443)
API = Origin(scheme="https", host="api.site.example", port=443)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        select = self._selector.select

        def jump(timeout=None):
            if timeout:
                self.now += timeout
            return select(0)

        self._selector.select = jump

    def time(self):
        return self.now


def on_jumping_loop(scenario):
    """Run `scenario(loop, pacer)` to its end."""
    loop = JumpingLoop()
    try:
        pacer = LocalPacer(loop.time, 60.0)
        return loop.run_until_complete(scenario(loop, pacer))
    finally:
        loop.close()


async def exchange(loop, pacer, origin, seconds, spans, **manner):
    turn = await pacer.turn(origin, **manner)
    try:
        await turn.leave()
        await asyncio.sleep(seconds)
    finally:
        turn.done()
        if turn.left_at is not None:
            spans.append((turn.left_at, loop.time()))


def gaps(spans):
    ordered = sorted(spans)
    return [later[0] - earlier[1] for earlier, later in pairwise(ordered)]


requests = st.lists(
    st.tuples(
        st.floats(0, 20),  # when it is wanted
        st.floats(0, 5),  # how long it takes
        st.none() | st.floats(0, 20),  # when it is given up
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(delay=st.floats(0.001, 10), wanted=requests)
def test_between_two_exchanges_lies_never_less_than_the_delay_whoever_gives_up(delay, wanted):
    async def scenario(loop, pacer):
        pacer.learn(HERE, delay)
        spans = []

        async def one(begin, seconds, given_up):
            await asyncio.sleep(begin)
            with suppress(TimeoutError):
                async with asyncio.timeout(given_up):
                    await exchange(loop, pacer, HERE, seconds, spans)

        await asyncio.gather(*(one(*member) for member in wanted))
        # Whatever was cancelled, the lane is free again.
        last = await asyncio.wait_for(pacer.turn(HERE), 1000)
        last.done()
        return spans

    for gap in gaps(on_jumping_loop(scenario)):
        assert gap >= delay - ROUNDING


@settings(max_examples=30, deadline=None)
@given(number=st.integers(1, 8), seconds=st.floats(0, 5))
def test_without_a_delay_nobody_waits(number, seconds):
    async def scenario(loop, pacer):
        spans = []
        await asyncio.gather(*(exchange(loop, pacer, HERE, seconds, spans) for _ in range(number)))
        return spans

    assert {start for start, _ in on_jumping_loop(scenario)} == {1000.0}


def test_requests_go_in_the_order_in_which_they_came():
    async def scenario(loop, pacer):
        pacer.learn(HERE, 1.0)
        went = []

        async def one(number):
            turn = await pacer.turn(HERE)
            await turn.leave()
            went.append(number)
            turn.done()

        await asyncio.gather(*(one(number) for number in range(10)))
        return went

    assert on_jumping_loop(scenario) == list(range(10))


def test_a_slow_origin_keeps_no_other_waiting():
    async def scenario(loop, pacer):
        pacer.learn(HERE, 50.0)
        spans = []
        await exchange(loop, pacer, HERE, 0, spans)
        waiting = asyncio.ensure_future(exchange(loop, pacer, HERE, 0, spans))
        await asyncio.sleep(0)
        await exchange(loop, pacer, THERE, 0, spans)
        there = spans[-1][0]
        await waiting
        return there, spans[-1][0]

    assert on_jumping_loop(scenario) == (1000.0, pytest.approx(1050.05))


def test_a_turn_given_back_twice_counts_once():
    async def scenario(loop, pacer):
        pacer.learn(HERE, 1.0)
        first = await pacer.turn(HERE)
        await first.leave()
        first.done()
        second = await pacer.turn(HERE)
        await second.leave()
        first.done()  # must not give back what the second holds
        waiting = asyncio.ensure_future(pacer.turn(HERE))
        await asyncio.sleep(30)
        still_waiting = not waiting.done()
        second.done()
        (await waiting).done()
        lane = pacer._lanes[HERE]
        return still_waiting, lane.under_way, lane.waiting

    assert on_jumping_loop(scenario) == (True, 0, 0)


def test_a_longer_delay_learnt_while_others_wait_holds_for_them_too():
    async def scenario(loop, pacer):
        pacer.learn(HERE, 1.0)
        spans = []
        await exchange(loop, pacer, HERE, 0, spans)
        waiting = [asyncio.ensure_future(exchange(loop, pacer, HERE, 0, spans)) for _ in range(3)]
        await asyncio.sleep(0)
        pacer.learn(HERE, 7.0)
        await asyncio.gather(*waiting)
        return gaps(spans)[1:]

    assert min(on_jumping_loop(scenario)) >= 7.0 - ROUNDING


def test_a_delay_learnt_while_requests_are_under_way_lets_the_next_go_only_after_the_last_of_them():
    async def scenario(loop, pacer):
        spans = []
        under_way = [asyncio.ensure_future(exchange(loop, pacer, HERE, 5, spans)) for _ in range(2)]
        await asyncio.sleep(0.5)
        pacer.learn(HERE, 1.0)
        later = [asyncio.ensure_future(exchange(loop, pacer, HERE, 1, spans)) for _ in range(2)]
        await asyncio.gather(*under_way, *later)
        return sorted(spans)

    spans = on_jumping_loop(scenario)
    assert spans[2][0] >= max(end for _, end in spans[:2]) + 1.0 - ROUNDING
    assert spans[3][0] >= spans[2][1] + 1.0 - ROUNDING


def test_a_hold_stops_everybody_for_its_time_and_never_shrinks():
    async def scenario(loop, pacer):
        pacer.hold(HERE, 30)
        pacer.hold(HERE, 5)
        spans = []
        await asyncio.gather(*(exchange(loop, pacer, HERE, 0, spans) for _ in range(3)))
        return min(start for start, _ in spans)

    assert on_jumping_loop(scenario) >= 1030.0 - ROUNDING


def test_a_hold_that_grows_while_one_waits_is_waited_for_too():
    async def scenario(loop, pacer):
        pacer.hold(HERE, 10)
        spans = []
        waiting = asyncio.ensure_future(exchange(loop, pacer, HERE, 0, spans))
        await asyncio.sleep(5)
        pacer.hold(HERE, 20)
        await waiting
        return loop.time()

    assert on_jumping_loop(scenario) >= 1025.0 - ROUNDING


def test_a_hold_beyond_the_cap_is_not_waited_for_and_leaves_the_lane_free():
    async def scenario(loop, pacer):
        pacer.learn(HERE, 1.0)
        pacer.hold(HERE, 61, "Retry-After: 61")
        with pytest.raises(LeftAlone) as left:
            await pacer.turn(HERE)
        waited = loop.time() - 1000.0
        await asyncio.sleep(120)
        (await asyncio.wait_for(pacer.turn(HERE), 10)).done()
        lane = pacer._lanes[HERE]
        return waited, left.value.seconds, left.value.why, lane.under_way, lane.waiting

    assert on_jumping_loop(scenario) == (0.0, pytest.approx(61.061), "Retry-After: 61", 0, 0)


def test_a_hold_beyond_the_cap_reaches_those_who_wait_already_and_who_have_their_turn():
    async def scenario(loop, pacer):
        pacer.learn(HERE, 1.0)
        turn = await pacer.turn(HERE)
        waiting = asyncio.ensure_future(pacer.turn(HERE))
        await asyncio.sleep(0)
        pacer.hold(HERE, 61)
        with pytest.raises(LeftAlone):
            await turn.leave()
        with pytest.raises(LeftAlone):
            await waiting
        turn.done()
        return loop.time()

    assert on_jumping_loop(scenario) == 1000.0


def test_who_has_a_turn_waits_out_a_short_hold_and_is_postponed_by_a_long_one():
    async def scenario(loop, pacer):
        turn = await pacer.turn(HERE)
        pacer.hold(HERE, 0.5)
        await turn.leave()
        left = turn.left_at
        turn.done()
        turn = await pacer.turn(HERE)
        pacer.hold(HERE, 20)
        with pytest.raises(Postponed) as postponed:
            await turn.leave()
        turn.done()
        return left, loop.time(), postponed.value.seconds, turn.left_at

    left, now, seconds, never = on_jumping_loop(scenario)
    assert left >= 1000.5
    assert now == left
    assert seconds == pytest.approx(20.02)
    assert never is None


def test_hosts_of_one_domain_that_ask_for_delays_share_the_smallest_and_keep_their_own():
    async def scenario(loop, pacer):
        pacer.learn(WWW, 5.0)
        pacer.learn(API, 2.0)
        www, api = [], []
        await asyncio.gather(
            *(exchange(loop, pacer, WWW, 0.3, www) for _ in range(4)),
            *(exchange(loop, pacer, API, 0.3, api) for _ in range(4)),
        )
        return www, api

    www, api = on_jumping_loop(scenario)
    assert min(gaps(www)) >= 5.0
    assert min(gaps(www + api)) >= 2.0
    # In turn: the slower of the two is not kept waiting by the faster.
    assert max(start for start, _ in www) <= 1000.0 + 4 * (5.3 + 2.3)


def test_a_host_that_asks_for_nothing_neither_waits_for_its_sister_nor_holds_her_up():
    async def scenario(loop, pacer):
        pacer.learn(WWW, 5.0)
        pacer.learn(API, 0.0)
        www, api = [], []
        await asyncio.gather(
            *(exchange(loop, pacer, WWW, 0, www) for _ in range(2)),
            *(exchange(loop, pacer, API, 0, api) for _ in range(9)),
        )
        return www, api

    www, api = on_jumping_loop(scenario)
    assert {start for start, _ in api} == {1000.0}
    assert 5.0 <= gaps(www)[0] <= 5.1


def test_a_hold_for_the_whole_domain_stops_its_other_hosts_and_no_others():
    async def scenario(loop, pacer):
        pacer.hold(WWW, 30, whole_domain=30)
        starts = {}
        for origin in (HERE, API, WWW):
            turn = await pacer.turn(origin)
            await turn.leave()
            starts[origin] = loop.time()
            turn.done()
        return starts

    starts = on_jumping_loop(scenario)
    assert starts[HERE] == 1000.0
    assert starts[API] >= 1030.0
    assert starts[WWW] >= 1030.0


def test_the_operators_own_delay_counts_from_start_to_start_for_all_hosts_of_a_domain():
    async def scenario(loop, pacer):
        spans = []
        await asyncio.gather(
            *(exchange(loop, pacer, origin, 10, spans, own=1.0) for origin in (WWW, API, WWW, API))
        )
        return sorted(start for start, _ in spans)

    starts = on_jumping_loop(scenario)
    assert [round(later - earlier, 6) for earlier, later in pairwise(starts)] == [1.0, 1.0, 1.0]


def test_who_goes_alone_waits_for_those_under_way_and_lets_none_beside():
    async def scenario(loop, pacer):
        spans = []
        first = asyncio.ensure_future(exchange(loop, pacer, HERE, 5, spans))
        await asyncio.sleep(0)
        await asyncio.gather(
            exchange(loop, pacer, HERE, 5, spans, alone=True), exchange(loop, pacer, HERE, 5, spans)
        )
        await first
        return gaps(spans)

    assert min(on_jumping_loop(scenario)) >= 0.0


def test_the_outlook_says_nothing_of_strangers_and_counts_down_for_those_who_asked():
    async def scenario(loop, pacer):
        stranger = pacer.outlook(HERE)
        pacer.learn(HERE, 0.0)
        free = pacer.outlook(HERE)
        pacer.learn(HERE, 10.0)
        await exchange(loop, pacer, HERE, 0, [])
        await asyncio.sleep(4)
        return stranger, free, pacer.outlook(HERE)

    stranger, free, later = on_jumping_loop(scenario)
    assert stranger is None
    assert free == (0.0, False, False)
    assert later.alone
    assert later.wait == pytest.approx(6.01)


def test_memory_is_bounded_and_what_is_forgotten_is_only_what_nobody_waits_for(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED_ORIGINS", 100)

    async def scenario(loop, pacer):
        pacer.learn(HERE, 40.0)
        await exchange(loop, pacer, HERE, 0, [])  # it has to wait now
        pacer.hold(THERE, 50)
        for number in range(2_000):
            origin = Origin(scheme="http", host=f"h{number}.example", port=80)
            pacer.learn(origin, 0.0)
            await exchange(loop, pacer, origin, 0, [])
        size = len(pacer._lanes), len(pacer._domains)
        await exchange(loop, pacer, HERE, 0, [])
        here = loop.time()
        await exchange(loop, pacer, THERE, 0, [])
        return size, here, loop.time()

    size, here, there = on_jumping_loop(scenario)
    assert max(size) <= 101
    assert here >= 1040.0 - ROUNDING
    assert there >= 1050.0 - ROUNDING
