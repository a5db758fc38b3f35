"""What the answers of all resources have in common: frozen models, times in UTC with a `Z`, ids, pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

T = TypeVar("T")


def in_utc(moment: datetime) -> str:
    """RFC 3339 in UTC, with microseconds where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[
    AwareDatetime,
    PlainSerializer(in_utc, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00.123456Z"]}),
]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", examples=["sha256:" + "0a" * 32])]

PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Name = Annotated[str, Field(min_length=1, max_length=256, pattern=PRINTABLE)]
"""An id in a body."""
Id = Annotated[str, Path(min_length=1, max_length=256, pattern=PRINTABLE)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="The number of a version.", examples=[1])]
Given = Annotated[str | None, Query(min_length=1, max_length=256, pattern=PRINTABLE)]
"""A filter by an id."""
Since = Annotated[AwareDatetime | None, Query(description="This moment or later.", examples=["2026-01-31T12:00:00Z"])]
Before = Annotated[AwareDatetime | None, Query(description="Before this moment.", examples=["2026-02-28T12:00:00Z"])]


class Answer(BaseModel):
    """An answer of the API. A member that a later release adds is no break: readers ignore what they do not know."""

    model_config = ConfigDict(frozen=True)


Policy = Literal["device", "shared"]
"""Whose content key it is: each device's own, or one for all devices of a profile."""


class Question(BaseModel):
    """A body that a caller sends: a member that is not known is refused, since it would be ignored in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Answer, Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    next: str | None = Field(description="The cursor of the page that follows; the header `Link` has its address.")


class Finding(Answer):
    """One finding in somebody's input."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into the document.", examples=["/units/0/blocks/2/alt"])
    code: str = Field(examples=["alt-missing"])
    message: str = Field(examples=["Say in “alt” what the picture shows, or mark it as decorative."])
    severity: str = Field("error", examples=["error"])


class Failure(Answer):
    """Why something failed, as the members of a problem detail."""

    model_config = ConfigDict(frozen=True, extra="allow")

    code: str = Field(examples=["worker-died"])
    title: str
    detail: str = ""
    problems: tuple[dict[str, Any], ...] | None = None
