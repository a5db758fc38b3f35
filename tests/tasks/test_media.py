"""A build tells what is wrong with all its files, and gives back what only needs another try."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from content.drafts import parse as parse_draft
from content.errors import ContentError, InvalidInput
from content.media import Probe, Rendition, plan
from tasks.media import Media, _all_or_faults, _Usable  # pyright: ignore[reportPrivateUsage]
from tasks.media_work import Looked, Original

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


def rendition(form: str, width: int, size: int) -> Rendition:
    return Rendition("image", f"image-{form}-{width}", f"image/{form}", f"sha256:{form}{width}", size, width=width)


PROBE = Probe("image", "image/png", 640, 360, frames=1)
MADE = (
    rendition("webp", 320, 100),
    rendition("webp", 640, 200),
    rendition("avif", 320, 100),
    rendition("avif", 640, 150),
)
KEPT = (*MADE[:2], MADE[3])


class Told:
    """Stands where a build's progress does."""

    def __init__(self) -> None:
        self.done_recipes: list[tuple[str, bool]] = []

    def planned(self, asset: str, recipes: list[str]) -> None: ...

    def done(self, asset: str, recipe: str, *, reused: bool) -> None:
        self.done_recipes.append((recipe, reused))


def builds(renditions: tuple[Rendition, ...]) -> tuple[Media, Any]:
    told: Any = Told()
    media = Media(None, "acme", None, "folder", "tools", told)  # type: ignore[arg-type]
    original = Original("acme", "cat", "image", "sha256:0", "folder")
    return media, _Usable(original, Looked(9, PROBE, renditions), plan("image", PROBE))


async def test_a_picture_that_avif_makes_no_smaller_is_neither_kept_nor_counted() -> None:
    media, usable = builds(MADE)
    result = await media._result(usable)  # pyright: ignore[reportPrivateUsage]
    assert result.renditions == KEPT
    assert (media.made, media.reused) == (3, 0)


async def test_what_is_in_the_cache_counts_as_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    media, usable = builds(())
    digests = [recipe.digest("tools") for recipe in usable.recipes]

    async def cached(_source: str, recipes: list[str]) -> dict[str, Rendition]:
        assert recipes == digests
        return dict(zip(digests, MADE, strict=True))

    monkeypatch.setattr(media, "_cached", cached)
    result = await media._result(usable)  # pyright: ignore[reportPrivateUsage]
    assert result.renditions == KEPT
    assert (media.made, media.reused) == (0, 3)
