"""A build tells what is wrong with all its files, and gives back what only needs another try."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from content.drafts import parse as parse_draft
from content.errors import ContentError, InvalidInput
from tasks.media import _all_or_faults  # pyright: ignore[reportPrivateUsage]

ASSETS = ("a", "b", "c")
DRAFT = parse_draft(
    {
        "language": "en",
        "title": {"en": "T"},
        "description": {"en": "D"},
        "license": "CC0-1.0",
        "units": [
            {
                "id": "u",
                "title": {"en": "U"},
                "blocks": [{"type": "image", "id": each, "asset": each, "decorative": True} for each in ASSETS],
            }
        ],
    }
)


async def works(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def fails(*, retryable: bool = False) -> Any:
    raise ContentError("media-unreadable", "It cannot be read.", "", retryable)


async def test_all_results_by_asset() -> None:
    assert await _all_or_faults(DRAFT, {}, {each: works(each.upper()) for each in ASSETS}) == dict(
        zip(ASSETS, "ABC", strict=True)
    )


async def test_every_fault_is_told_and_the_others_are_waited_for() -> None:
    ended: list[str] = []

    async def slow() -> None:
        await asyncio.sleep(0.01)
        ended.append("b")

    with pytest.raises(InvalidInput) as refused:
        await _all_or_faults(DRAFT, {}, {"a": fails(), "b": slow(), "c": fails()})
    assert [each.pointer for each in refused.value.problems] == ["/units/0/blocks/0/asset", "/units/0/blocks/2/asset"]
    assert ended == ["b"]


async def test_what_can_be_retried_is_raised_as_it_is() -> None:
    with pytest.raises(ContentError) as failed:
        await _all_or_faults(DRAFT, {}, {"a": fails(), "b": fails(retryable=True), "c": asyncio.sleep(60)})
    assert failed.value.retryable
    assert not isinstance(failed.value, InvalidInput)
