"""Deadlines that share a timer are as good as a timer each."""

from __future__ import annotations

import asyncio

import pytest

from fromlogits.serving.deadlines import Deadlines


def test_what_was_not_ended_is_late_once_and_in_its_order() -> None:
    async def scene() -> list[str]:
        said: list[str] = []
        deadlines = Deadlines(0.05)
        ended = deadlines.begin(lambda: said.append("ended"))
        for name in ("first", "second"):
            deadlines.begin(lambda name=name: said.append(name))  # type: ignore[misc]
        deadlines.end(ended)
        deadlines.end(ended)
        await asyncio.sleep(0.03)
        deadlines.begin(lambda: said.append("third"))
        await asyncio.sleep(0.035)
        said.append("meanwhile")
        await asyncio.sleep(0.1)
        assert not deadlines._open and deadlines._timer is None  # an idle server wakes for nothing
        deadlines.begin(lambda: said.append("last"))
        await asyncio.sleep(0.1)
        return said

    assert asyncio.run(scene()) == ["first", "second", "meanwhile", "third", "last"]


def test_a_block_that_takes_too_long_times_out() -> None:
    async def scene() -> None:
        deadlines = Deadlines(0.02)
        with deadlines.of_task():
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError), deadlines.of_task():
            await asyncio.sleep(10)
        assert not deadlines._open
        await asyncio.sleep(0.05)  # and the task goes on
        with pytest.raises(KeyError), deadlines.of_task():
            raise KeyError
        assert not deadlines._open

    asyncio.run(scene())


def test_a_cancel_from_elsewhere_is_no_timeout() -> None:
    async def scene() -> None:
        deadlines = Deadlines(0.02)

        async def block() -> None:
            with deadlines.of_task():
                await asyncio.sleep(10)

        task = asyncio.create_task(block())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not deadlines._open

        async def stubborn() -> None:
            with deadlines.of_task():
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    asyncio.current_task().cancel()  # type: ignore[union-attr]
                    await asyncio.sleep(10)

        with pytest.raises(asyncio.CancelledError):  # it was asked to end by two, and one of them was no clock
            await asyncio.create_task(stubborn())

    asyncio.run(scene())
