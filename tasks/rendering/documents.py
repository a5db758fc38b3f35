"""PDF documents, by PDFium: how many pages there are, and a small picture of the first one.

Nothing else is read of them: the document itself is passed on as it is. PDFium comes without a JavaScript engine; fonts that
a document does not bring are its own few, since a sandbox has none. Before: `content.media.sniff` has seen that it is a PDF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pypdfium2
from PIL import Image

from content.errors import ContentError
from content.media import Probe, ThumbnailRecipe
from content.media.plan import THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH

PDF = "application/pdf"


def probe_pdf(path: Path, asset: str) -> Probe:
    """The size of the first page's picture and the number of pages. The picture is made once, so that a page that cannot be
    shown is known before anybody plans with it. Raises ContentError `media-unreadable`."""
    with _opened(path, asset) as document:
        shown = _first_page(document)
        pages = len(document)
    return Probe("file", PDF, shown.width, shown.height, frames=pages, codec="pdf", size_bytes=path.stat().st_size)


def render_thumbnail(
    path: Path, recipe: ThumbnailRecipe, target: Path, progress: Callable[[float], None], asset: str
) -> None:
    """Write the WebP of the recipe to `target`."""
    with _opened(path, asset) as document:
        shown = _first_page(document)
        if shown.size != (recipe.width, recipe.height):
            shown = shown.resize((recipe.width, recipe.height), Image.Resampling.LANCZOS)
        shown.save(target, "WEBP", quality=recipe.quality, method=recipe.effort)
    progress(1.0)


def _first_page(document: Any) -> Image.Image:
    page = document[0]
    width, height = page.get_size()  # in points, as it is turned
    scale = min(THUMBNAIL_WIDTH / width, THUMBNAIL_HEIGHT / height)
    shown = page.render(scale=scale, fill_color=(255, 255, 255, 255), may_draw_forms=False).to_pil()
    shown = cast("Image.Image", shown).convert("RGB")
    # It rounds up; a strip of a page gets at least one pixel.
    return shown.crop((0, 0, min(shown.width, THUMBNAIL_WIDTH), min(shown.height, THUMBNAIL_HEIGHT)))


@contextmanager
def _opened(path: Path, asset: str) -> Iterator[Any]:
    try:
        document = cast("Any", pypdfium2).PdfDocument(str(path))
        try:
            yield document
        finally:
            document.close()
    except (pypdfium2.PdfiumError, OSError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
        why = "it is locked with a password" if "password" in str(error).lower() else str(error) or type(error).__name__
        raise ContentError("media-unreadable", f"“{asset}” cannot be shown: {why}.") from error
