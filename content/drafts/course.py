"""The draft of a course: what surrounds its blocks.

`Draft` is what authoring-service hands out and what a package is built from. `CourseHead` and `UnitHead` are the same
without their children, so that validation can judge every part even when its neighbour is broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from content.drafts.base import AssetId, Colour, Id, LanguageTag, Line, LineMap, Model, TextMap
from content.drafts.blocks import AudioBlock, Block, FileBlock, ImageBlock, VideoBlock
from content.drafts.limits import MAX_ASSETS, MAX_AUTHORS, MAX_BLOCKS, MAX_LANGUAGES, MAX_UNIT_BLOCKS, MAX_UNITS

AssetKind = Literal["image", "video", "audio", "captions", "file"]


class Author(Model):
    name: Line
    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)] | None = None


class CompletionAll(Model):
    """Done when every block has been seen."""

    rule: Literal["all"]


class CompletionBlocks(Model):
    """Done when the named blocks have been seen."""

    rule: Literal["blocks"]
    blocks: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MAX_BLOCKS)]


class CompletionScore(Model):
    """Done when the share of points in all quizzes reaches `mastery` (0–1)."""

    rule: Literal["score"]
    mastery: Annotated[float, Field(gt=0, le=1)]


Completion = Annotated[CompletionAll | CompletionBlocks | CompletionScore, Field(discriminator="rule")]


class PreTest(Model):
    """Whoever reaches `mastery` of the points in the quizzes of `unit` may leave out the units in `skips`; they count as
    done."""

    unit: Id
    skips: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MAX_UNITS)]
    mastery: Annotated[float, Field(gt=0, le=1)] = 0.8


class PostTest(Model):
    """`unit` opens when all others are done, and is passed with `mastery` of the points in its quizzes."""

    unit: Id
    mastery: Annotated[float, Field(gt=0, le=1)] = 0.8


class Sequencing(Model):
    """In which order units open. A unit is done when all its blocks were seen and all its quizzes handed in."""

    order: Literal["free", "forced"] = "free"
    """`forced`: a unit opens when all before it are done."""
    pretest: PreTest | None = None
    posttest: PostTest | None = None


class Colours(Model):
    text: Colour
    background: Colour
    accent: Colour | None = None


class Theme(Model):
    logo: AssetId | None = None
    logo_alt: LineMap | None = None
    colours: Colours | None = None


class AssetEntry(Model):
    """What the author knows about an original: what it is, who made it and under which licence."""

    kind: AssetKind
    license: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    credit: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    source: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2000)] | None = None


class CourseHead(Model):
    shape: Literal[1] = 1
    course_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    draft_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    revision: Annotated[int, Field(ge=1)] | None = None
    language: LanguageTag
    """The language that every text has."""
    translations: Annotated[tuple[LanguageTag, ...], Field(max_length=MAX_LANGUAGES)] = ()
    """Further languages in which the course is promised; a text without one of them is warned of."""
    title: LineMap
    description: TextMap
    license: Annotated[str, Field(min_length=1, max_length=200)]
    """SPDX id or Creative Commons URI."""
    authors: Annotated[tuple[Author, ...], Field(max_length=MAX_AUTHORS)] = ()
    completion: Completion = CompletionAll(rule="all")
    sequencing: Sequencing | None = None
    """Absent: every unit is open from the beginning."""
    theme: Theme | None = None
    assets: Annotated[dict[AssetId, AssetEntry], Field(max_length=MAX_ASSETS)] | None = None
    """Where given, every asset that a block names must be in it."""


class UnitHead(Model):
    id: Id
    title: LineMap


class Unit(UnitHead):
    blocks: Annotated[tuple[Block, ...], Field(max_length=MAX_UNIT_BLOCKS)]


@dataclass(frozen=True)
class OriginalRef:
    """A file of the author's that a build needs: its id at media-service, its kind, and where the draft names it."""

    asset: str
    kind: AssetKind
    pointers: tuple[str, ...]


class Draft(CourseHead):
    units: Annotated[tuple[Unit, ...], Field(min_length=1, max_length=MAX_UNITS)]

    def languages(self) -> tuple[str, ...]:
        """The course's own language first, then its translations, each once."""
        return tuple(dict.fromkeys((self.language, *self.translations)))

    def originals(self) -> tuple[OriginalRef, ...]:
        """Every original once, in the order of first use."""
        found: dict[tuple[str, AssetKind], list[str]] = {}
        for asset, kind, pointer in self._uses():
            found.setdefault((asset, kind), []).append(pointer)
        return tuple(OriginalRef(asset, kind, tuple(pointers)) for (asset, kind), pointers in found.items())

    def _uses(self) -> list[tuple[str, AssetKind, str]]:
        uses: list[tuple[str, AssetKind, str]] = []
        if self.theme and self.theme.logo:
            uses.append((self.theme.logo, "image", "/theme/logo"))
        for at, unit in enumerate(self.units):
            for index, block in enumerate(unit.blocks):
                uses += asset_uses(block, f"/units/{at}/blocks/{index}")
        return uses


def asset_uses(block: Model, pointer: str) -> list[tuple[str, AssetKind, str]]:
    """(asset, kind, JSON pointer) of each original that a block names."""
    if isinstance(block, ImageBlock):
        return [(block.asset, "image", f"{pointer}/asset")]
    if isinstance(block, FileBlock):
        return [(block.asset, "file", f"{pointer}/asset")]
    if not isinstance(block, (VideoBlock, AudioBlock)):
        return []
    uses: list[tuple[str, AssetKind, str]] = [(block.asset, block.type, f"{pointer}/asset")]
    for index, track in enumerate(block.captions):
        uses.append((track.asset, "captions", f"{pointer}/captions/{index}/asset"))
    if block.poster:
        uses.append((block.poster, "image", f"{pointer}/poster"))
    return uses
