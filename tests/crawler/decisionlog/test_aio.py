"""Awaiting an entry is awaiting its durability, with one call into the loop a batch."""

from __future__ import annotations

import asyncio

import pytest

from crawler.decisionlog.aio import AsyncLog
from crawler.decisionlog.errors import LogError
from crawler.decisionlog.verify import verify_log


def in_loop(log, work, **options):
    async def main():
        opened = AsyncLog.open(log.url, run_id="run-1", agent="a", clock=log.clock, **options)
        return await work(opened)

    return asyncio.run(main())


def test_what_was_awaited_is_in_the_file(log, entry, documents):
    async def work(opened):
        for number in range(5):
            receipt = await opened.append_durable(
                entry(size=number), [documents["policy"], documents["blocklist"]]
            )
            assert receipt.segment == opened.segment
            assert log.raw().execute("SELECT size FROM record WHERE idx = ?", (receipt.idx,)).fetchone() == (
                number,
            )
        opened.append(entry())
        return await opened.close(seal=True)

    assert in_loop(log, work).size == 6
    with log.reader() as reader:
        assert verify_log(reader).findings == ()


def test_many_waiters_share_batches_and_each_gets_its_own_receipt(log, entry):
    calls = []

    async def work(opened):
        loop = asyncio.get_running_loop()
        real = loop.call_soon_threadsafe

        def counted(callback, *args):
            calls.append(callback)
            return real(callback, *args)

        loop.call_soon_threadsafe = counted
        try:
            receipts = await asyncio.gather(
                *(opened.append_durable(entry(size=number)) for number in range(500))
            )
        finally:
            loop.call_soon_threadsafe = real
        await opened.close(seal=True)
        return receipts

    receipts = in_loop(log, work)
    assert [receipt.idx for receipt in receipts] == list(range(500))
    assert len(calls) < 50


def test_a_cancelled_waiter_harms_nobody_and_its_entry_is_recorded(log, entry):
    async def work(opened):
        holder = log.raw()
        holder.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(opened.append_durable(entry())) for _ in range(3)]
        await asyncio.sleep(0.02)
        tasks[1].cancel()
        holder.execute("ROLLBACK")
        results = await asyncio.gather(*tasks, return_exceptions=True)
        head = await opened.close(seal=True)
        return results, head

    results, head = in_loop(log, work)
    assert isinstance(results[1], asyncio.CancelledError)
    assert [results[0].idx, results[2].idx] == [0, 2]
    assert head.size == 3


def test_a_poisoned_log_fails_every_waiter_and_every_later_entry_at_once(log, entry):
    told = []

    async def work(opened):
        await opened.append_durable(entry())
        holder = log.raw()
        holder.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.create_task(opened.append_durable(entry())) for _ in range(4)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.sleep(0.02)
        holder.execute("ROLLBACK")
        assert opened.failed is not None
        with pytest.raises(LogError):
            opened.append(entry())
        with pytest.raises(LogError):
            await opened.append_durable(entry())
        assert await opened.close(seal=True) is None
        return results

    results = in_loop(log, work, lock_timeout=0.1, on_failure=told.append)
    assert all(isinstance(result, LogError) for result in results)
    assert len({id(result) for result in results}) == 4, "each its own, so that tracebacks stay short"
    assert len(told) == 1


def test_a_loop_that_is_gone_does_not_keep_the_writer_from_closing(log, entry):
    async def work(opened):
        opened._writer.append(entry(), wait=True)
        return opened

    opened = in_loop(log, work)
    assert opened._writer.close(seal=True).size == 1
