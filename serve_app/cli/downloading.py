"""A file from the edge to where somebody wants it: with a bar, going on where it broke off, and checked before it is there."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from content.canonical import DIGEST_PREFIX
from content.errors import ContentError
from serve_app.cli.output import errors

if TYPE_CHECKING:
    from serve_app.client import Client, ExportShown


def require_free(out: Path, *, force: bool) -> None:
    """Raises ContentError where a file must not be written."""
    if out.is_dir():
        raise ContentError("output-folder", f"{out} is a folder.", "Name a file.")
    if out.exists() and not force:
        raise ContentError("output-exists", f"{out} is there already.", "Choose another name, or give --force.")
    if not out.parent.is_dir():
        raise ContentError("output-folder", f"There is no folder {out.parent}.", "Make it first.")


def download(api: Client, made: ExportShown, out: Path) -> None:
    """The file of an export. Raises ContentError `download-digest`, and what downloading raises; what came is then kept
    beside `out`, and the next try goes on from there."""
    from serve_app.device.bars import BarWatch, bytes_progress
    from serve_app.device.download import edge_client, fetch

    size, coming = made["size_bytes"] or 0, out.with_name(f".{out.name}.{made['export_id']}")
    with edge_client() as edge, bytes_progress(errors) as progress:
        fetch(edge, _Address(api, made), out.name, size, coming, BarWatch(progress, errors))
    if _digest(coming) != made["digest"]:
        coming.unlink()
        raise ContentError("download-digest", "The file that came is not the one that was made.", "Try again.", True)
    coming.replace(out)


class _Address:
    """Where the file is (`serve_app.device.download.Urls`)."""

    def __init__(self, api: Client, made: ExportShown) -> None:
        self._api, self._made = api, made

    def of(self, path: str) -> str:
        if self._made["download"] is None:
            raise ContentError("export-not-ready", f"The export is {self._made['state']} by now.", "Ask for it again.")
        return self._made["download"]["url"]

    def renew(self) -> None:
        self._made = self._api.export(self._made["export_id"])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return DIGEST_PREFIX + hashlib.file_digest(file, "sha256").hexdigest()
