"""The block types of a draft. Media are named by `asset`, the id under which media-service knows the original.

A block says what the author wants shown; which file a device gets is decided later (`content.media.choose`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from content.drafts.base import AssetId, Id, LanguageTag, LineMap, Model, TextMap
from content.drafts.limits import MAX_TRACKS, MAX_UNIT_BLOCKS
from content.drafts.quiz import QuizBlock


class TextBlock(Model):
    """Markdown, or HTML of which the safe part is kept."""

    type: Literal["text"]
    id: Id
    format: Literal["markdown", "html"] = "markdown"
    text: TextMap


class ImageBlock(Model):
    """Needs an alternative text in the course's language, or `decorative: true`."""

    type: Literal["image"]
    id: Id
    asset: AssetId
    alt: LineMap | None = None
    decorative: bool = False
    caption: LineMap | None = None


class CaptionTrack(Model):
    """A WebVTT or SRT file."""

    asset: AssetId
    language: LanguageTag
    kind: Literal["captions", "subtitles"] = "captions"


class _TimedBlock(Model):
    id: Id
    asset: AssetId
    title: LineMap | None = None
    captions: Annotated[tuple[CaptionTrack, ...], Field(max_length=MAX_TRACKS)] = ()
    transcript: TextMap | None = None
    """Markdown."""
    poster: AssetId | None = None


class VideoBlock(_TimedBlock):
    type: Literal["video"]


class AudioBlock(_TimedBlock):
    type: Literal["audio"]


class FileBlock(Model):
    """A download; passed on as it is."""

    type: Literal["file"]
    id: Id
    asset: AssetId
    title: LineMap


class AssistantBlock(Model):
    """A helper for the learner that answers from the named blocks; its settings come from ai-gateway."""

    type: Literal["assistant"]
    id: Id
    purpose: LineMap
    grounding: Annotated[tuple[Id, ...], Field(max_length=MAX_UNIT_BLOCKS)] = ()


class EmbedBlock(Model):
    """A package made from an imported SCORM zip."""

    type: Literal["embed"]
    id: Id
    package: Annotated[str, Field(pattern=r"^pkg_[0-9a-v]{26}$")]
    title: LineMap | None = None


Block = Annotated[
    TextBlock | ImageBlock | VideoBlock | AudioBlock | FileBlock | QuizBlock | AssistantBlock | EmbedBlock,
    Field(discriminator="type"),
]

BLOCK_TYPES: dict[str, type[Model]] = {
    "text": TextBlock,
    "image": ImageBlock,
    "video": VideoBlock,
    "audio": AudioBlock,
    "file": FileBlock,
    "quiz": QuizBlock,
    "assistant": AssistantBlock,
    "embed": EmbedBlock,
}
