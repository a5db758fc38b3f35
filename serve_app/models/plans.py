"""Plans: what of a version fits a device's space, and asking for a bundle of that."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from content.amounts import BYTES, MOST, RATE, parse_bytes, parse_rate
from serve_app.models.base import Answer, Digest, Name, Question
from serve_app.models.bundles import Bundle
from serve_app.models.packages import PackageId


def _size(given: Any) -> Any:
    if isinstance(given, str):
        return parse_bytes(given)
    if type(given) is not int or not 0 < given <= MOST:
        raise ValueError("give a number of bytes, or a text such as 200MB, 200MiB or 1.5GB")
    return given


def _rate(given: Any) -> Any:
    return parse_rate(given) if isinstance(given, str) else given


_SIZE_TEXT = {"type": "string", "pattern": BYTES, "examples": ["200MB"]}
SizeText = Annotated[int, BeforeValidator(_size), WithJsonSchema(_SIZE_TEXT)]
"""A size in an address."""
Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"anyOf": [_SIZE_TEXT, {"type": "integer", "minimum": 1, "maximum": MOST}], "examples": ["200MB"]}),
]
RateText = Annotated[
    int,
    BeforeValidator(_rate),
    WithJsonSchema({"type": "string", "pattern": RATE, "examples": ["1.5Mbit/s"]}),
]
PlanId = Annotated[str, Field(pattern=r"^[a-z2-7]{10}$", examples=["q3bkt7xw2a"])]


class UnitInPlan(Answer):
    """`bytes` are of encrypted files that no unit before it brings, `plain_bytes` the same in the plain profile."""

    id: str
    title: dict[str, str]
    state: Literal["whole", "reduced", "variant", "left-out"]
    bytes: int
    plain_bytes: int


class FileInPlan(Answer):
    """A rendition as it is stored; encrypted it is a little larger."""

    role: str = Field(examples=["image"])
    media_type: str = Field(examples=["image/webp"])
    digest: Digest
    size_bytes: int


class AssetInPlan(Answer):
    """One file per role; none if the asset is left out."""

    asset: str
    state: Literal["whole", "reduced", "left-out"]
    files: tuple[FileInPlan, ...]


class StepOfPlan(Answer):
    """Something that was taken away to make it fit, in the order of the largest saving for the smallest loss."""

    kind: Literal["reduce", "variant", "leave-out"]
    units: tuple[str, ...]
    assets: tuple[str, ...]
    role: str | None
    before: str | None = Field(description="Name of a rendition.", examples=["image-webp-960"])
    after: str | None = Field(examples=["image-webp-640"])
    saves_bytes: int
    loss: float = Field(
        description="The share of the asset's pixels that goes with this step, by the weight of its role."
    )


class Download(Answer):
    """How long a network takes for all of it."""

    network: str = Field(examples=["3G"])
    bits_per_s: int
    seconds: int


class Plan(Answer):
    """Bytes are what a device fetches that has nothing: index and parts. A licence, under 2 KiB, is apart."""

    package_id: PackageId
    version: int
    profile: str = Field(examples=["phone"])
    plan_id: PlanId
    planned_profile: str = Field(
        description="What its bundles say for their profile; the profile itself where nothing is taken away.",
        examples=["phone-pq3bkt7xw2a"],
    )
    space_bytes: int | None
    bytes: int
    plain_bytes: int = Field(description="Of the plain profile.")
    least_bytes: int = Field(description="The smallest space that this version has a plan for.")
    downloads: tuple[Download, ...]
    units: tuple[UnitInPlan, ...]
    assets: tuple[AssetInPlan, ...]
    steps: tuple[StepOfPlan, ...]


class BundleRequest(Question):
    """What a device is to get of a package, now and of versions to come."""

    package_id: Name
    space: Size | None = Field(description="null: all that its profile gets, whatever room it needs.")
    device_id: Name | None = Field(None, description="A device that asks for itself may leave it out.")
    plan_id: PlanId | None = Field(None, description="The plan that was looked at: no other one is to be carried out.")


class BundlesRequested(Answer):
    """The bundles that come of it, one for each enrolment of the device's learner; `plan_id` is null without a space."""

    package_id: PackageId
    version: int
    profile: str
    plan_id: PlanId | None
    bundles: tuple[Bundle, ...]
