"""What is said of imports: packages of other tools, uploaded piece by piece and read in a sandbox."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from serve_app.models.base import PRINTABLE, Answer, Digest, Failure, Moment, Name, Question

ImportState = Literal["uploading", "importing", "accepted", "superseded", "refused", "failed"]
ImportId = Annotated[str, Field(pattern=r"^imp_[a-z0-9]{26}$", examples=["imp_0f8k2m4q6s8u0a2c4e6g8i0k2m"])]
Edition = Literal["1.2", "2004-2nd", "2004-3rd", "2004-4th", "aicc", "cmi5", "tincan"]
LEAST_PIECE, MOST_PIECE, MOST_PIECES = 5 << 20, 1 << 30, 10_000
MOST_AT_ONCE = 500
"""Pieces for which addresses are asked in one request: its body has a bound."""


class PieceDigest(Question):
    """One piece of the file, and what is in it."""

    number: int = Field(ge=1, le=MOST_PIECES, description="From 1 on, in the order of the file.", examples=[1])
    digest: Digest = Field(description="Of this piece; the store refuses other bytes.")


class NewImport(Question):
    """A file that is to be uploaded and imported."""

    file_name: str = Field(min_length=1, max_length=255, pattern=PRINTABLE, examples=["safety-at-work.zip"])
    size_bytes: int = Field(ge=1, le=1 << 50, examples=[48_313_377])
    piece_bytes: int | None = Field(
        None,
        ge=LEAST_PIECE,
        le=MOST_PIECE,
        description="Size of each piece but the last one; 16 MiB if left out.",
        examples=[16 << 20],
    )
    digest: Digest | None = Field(None, description="Of the whole file; it is compared before anything comes of it.")
    course_id: Name | None = Field(
        None,
        description="The course whose next version it becomes. Left out: a course that is named after the identifier and title "
        "of the package's own manifest, so that a new zip of the same course makes its next version.",
        examples=["safety-at-work"],
    )
    pieces: tuple[PieceDigest, ...] = Field(
        (), max_length=MOST_AT_ONCE, description="Ask for the addresses of these at once.", examples=[[]]
    )


class WantedParts(Question):
    """Pieces for which an address is wanted, for the first time or because it has expired."""

    pieces: tuple[PieceDigest, ...] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Completion(Question):
    """The end of an upload."""

    digest: Digest | None = Field(
        None,
        description="Of the whole file, where it was not known before; it is compared before anything comes of it.",
    )


class Part(Answer):
    """Where one piece goes: `PUT` it there with these header fields, before the time is over."""

    number: int = Field(examples=[1])
    size_bytes: int = Field(description="Exactly so many bytes.", examples=[16 << 20])
    url: str
    headers: dict[str, str] = Field(
        description="To be sent with it.",
        examples=[{"x-amz-checksum-sha256": "4NR0cnTrHRVNjYhpNlKZd1hgqTTtvJ3fQt2kYqLBNjs="}],
    )


class Parts(Answer):
    """Addresses for pieces."""

    parts: tuple[Part, ...]
    expires_in_s: int = Field(description="How long they work; then ask for new ones.", examples=[3600])


class UploadedPiece(Answer):
    """A piece that the store has. `digest` is the one that was said last when its address was asked for."""

    number: int
    size_bytes: int
    digest: Digest | None


class UploadState(Answer):
    """How far an upload is."""

    piece_bytes: int = Field(examples=[16 << 20])
    pieces: int = Field(description="How many there will be.", examples=[3])
    uploaded: tuple[UploadedPiece, ...] = Field(description="Those that the store has by now.")


class Import(Answer):
    """A package of another tool on its way to become a version."""

    import_id: ImportId
    file_name: str
    size_bytes: int
    digest: Digest | None = Field(description="As it was said; once the file has been read, as it is.")
    course_id: str | None = Field(description="As it was asked for; once the package was read, as it is.")
    state: ImportState = Field(
        description="`refused`: the package is not taken, its report says why. `failed`: we failed, were told to stop, or the "
        "upload was never completed. `superseded`: in order, but a newer file was imported into the course meanwhile."
    )
    job_id: str | None = Field(examples=["job_vcu5n7karmlhue5isipmhc7dvs"])
    edition: Edition | None
    title: str | None
    package_id: str | None
    version: int | None
    problem: Failure | None = Field(description="Why it failed.")
    created_at: Moment
    completed_at: Moment | None = Field(description="When the upload was completed.")
    ended_at: Moment | None
    removed_at: Moment | None = Field(description="Since when the uploaded file is gone.")
    links: dict[str, str] = Field(
        description="Where to go on: the import itself, its job, its report, the version that came of it.",
        examples=[{"self": "/v1/imports/imp_0f8k2m4q6s8u0a2c4e6g8i0k2m"}],
    )

    @staticmethod
    def row(row: dict[str, Any]) -> dict[str, Any]:
        """A row of the table, with its links."""
        links = {"self": f"/v1/imports/{row['import_id']}"}
        if row["job_id"]:
            links["job"] = f"/v1/jobs/{row['job_id']}"
        if row["state"] in ("accepted", "superseded", "refused"):
            links["report"] = f"{links['self']}/report"
        if row["version"] is not None:
            links["version"] = f"/v1/packages/{row['package_id']}/versions/{row['version']}"
        return {**row, "links": links}


class ImportAsked(Import):
    """With the addresses for the pieces that were named."""

    upload: UploadState
    parts: tuple[Part, ...]
    expires_in_s: int = Field(description="How long the addresses work.", examples=[3600])


class ImportShown(Import):
    """With what of the upload is there, while it is `uploading`."""

    upload: UploadState | None


class ImportFinding(Answer):
    """One finding: what it is, where, and a sentence for the author."""

    code: str = Field(examples=["launch-file-missing"])
    place: str = Field(description="A path in the zip, or a line of a file in it.", examples=["imsmanifest.xml:12"])
    message: str


class ImportReport(Answer):
    """What its author should know of a package: whether it was taken, what it is, what matters without a network."""

    import_id: ImportId
    file_name: str
    accepted: bool
    edition: Edition | None
    launch: tuple[str, ...] = Field(description="What opens first, as `path?query`.", examples=[["index.html"]])
    items: int
    warnings: tuple[ImportFinding, ...]
    errors: tuple[ImportFinding, ...] = Field(description="Why it was refused.")
    title: str
    identifier: str
    language: str
    tool: dict[str, str] | None = Field(
        description="What made it.", examples=[{"name": "Articulate Storyline", "version": ""}]
    )
    tree: tuple[dict[str, Any], ...] = Field(description="Organizations and their items.")
    sizes: dict[str, int] | None = Field(
        examples=[{"zip_bytes": 48_313_377, "unpacked_bytes": 60_000_000, "files": 412}]
    )
    offline: tuple[ImportFinding, ...] = Field(description="What it needs that a device without a network lacks.")
    sandbox: str = Field(description="What it was read in.", examples=["bubblewrap"])
