"""Packages for measurements: those of `shared/`, and generated ones."""

from __future__ import annotations

import io
import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

MIB = 1 << 20
SHARED = Path(__file__).resolve().parents[2] / "shared" / "scorm"
PAGE = b"<!DOCTYPE html><title>Page</title><p>" + b"Birds of prey hunt by sight. " * 40 + b"</p>"


def shared() -> list[Path]:
    """Those beside the repository; none where it stands alone."""
    return sorted(SHARED.rglob("*.zip"))


def giant_entries(count: int = 20_000) -> bytes:
    """A package of so many small files, all listed."""
    names = [f"pages/{number // 100:03}/page{number:05}.html" for number in range(count)]
    return _zip([("imsmanifest.xml", _manifest(names)), *((name, PAGE) for name in names)])


def giant_manifest(size: int = 25_000_000) -> bytes:
    """A package whose manifest has so many bytes."""
    item = '<item identifier="i{0}" identifierref="r1"><title>Item number {0} of a very long course</title></item>'
    items = "".join(item.format(number) for number in range(size // len(item)))
    return _zip([("imsmanifest.xml", _manifest(["index.html"], items)), ("index.html", PAGE)])


def mixed(folder: Path, total: int) -> list[Path]:
    """Packages of together so many bytes: a few large ones with films, many small ones with pages and pictures."""
    dice, made, size = random.Random(7), [], 0
    home = folder / "mixed"
    home.mkdir()
    while size < total:
        path = home / f"package{len(made):03}.zip"
        most = min(total - size, dice.choice((2, 2, 4, 8, 16, 64)) * MIB)
        path.write_bytes(_zip(_course(dice, most)))
        size += path.stat().st_size
        made.append(path)
    return made


def package(folder: Path, size: int) -> Path:
    """One of about so many bytes, unlike every other."""
    path = folder / f"package-{os.urandom(4).hex()}.zip"
    path.write_bytes(_zip(_course(random.Random(path.name), size)))
    return path


def _course(dice: random.Random, size: int) -> Iterator[tuple[str, bytes]]:
    pieces = max(1, min(40, size // (256 << 10)))
    names = [f"media/part{number:03}.mp4" for number in range(pieces)]
    pages = [f"page{number:03}.html" for number in range(20)]
    yield "imsmanifest.xml", _manifest([*pages, *names])
    for name in pages:
        yield name, PAGE * dice.randint(1, 20)
    for name in names:
        yield name, os.urandom(size // pieces)


def _manifest(
    files: list[str], items: str = '<item identifier="i" identifierref="r1"><title>Birds</title></item>'
) -> bytes:
    listed = "".join(f'<file href="{name}"/>' for name in files)
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<manifest identifier="birds" version="1.0" xmlns="http://www.imsproject.org/xsd/imscp_rootv1p1p2"
  xmlns:adlcp="http://www.adlnet.org/xsd/adlcp_rootv1p2">
<metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>
<organizations default="o"><organization identifier="o"><title>Birds</title>{items}</organization></organizations>
<resources><resource identifier="r1" type="webcontent" adlcp:scormtype="sco" href="{files[0]}">{listed}</resource></resources>
</manifest>"""
    return text.encode()


def _zip(files: Iterator[tuple[str, bytes]] | list[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files:
            media = name.endswith(".mp4")
            archive.writestr(name, data, zipfile.ZIP_STORED if media else zipfile.ZIP_DEFLATED)
    return out.getvalue()
