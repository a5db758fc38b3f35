"""Pictures as cameras, scanners and drawing programs make them, and pictures that are not what they say."""

from __future__ import annotations

import io
import random
import struct
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from cluster.settings import Settings
from content.errors import ContentError
from content.media import plan
from tasks.render import Rendered, probe, render

SETTINGS = Settings()


def made(path: Path, folder: Path, rung: int = 0) -> Rendered:
    recipe = plan("image", probe(path, "image", SETTINGS, "my-picture"))[rung]
    return render(path, recipe, folder, lambda _: None, SETTINGS, "my-picture")


def refused(path: Path, settings: Settings = SETTINGS) -> ContentError:
    with pytest.raises(ContentError) as error:
        probe(path, "image", settings, "my-picture")
    assert "my-picture" in error.value.message and error.value.remedy and not error.value.retryable
    return error.value


def noise(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    seed = random.Random(1)
    small = Image.frombytes("RGB", (20, 15), seed.randbytes(900))
    return small.resize(size).convert(mode)


def test_nothing_of_the_camera_stays(tmp_path: Path):
    exif = Image.Exif()
    exif[0x010F] = "maker of secrets"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)  # GPS latitude
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret place</x:xmpmeta>"
    for form in ("JPEG", "PNG", "WEBP", "TIFF"):
        path = tmp_path / f"photo.{form}"
        noise((400, 300)).save(path, form, exif=exif, **({} if form == "PNG" else {"xmp": xmp}))
        data = made(path, tmp_path).path.read_bytes()
        for chunk in (b"EXIF", b"XMP ", b"ICCP", b"secret", b"GPS"):
            assert chunk not in data, (form, chunk)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied(orientation: int, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.new("RGB", (80, 40), "white")
    ImageDraw.Draw(stored).rectangle((0, 0, 20, 10), "red")
    path = tmp_path / "photo.jpg"
    stored.save(path, exif=exif, quality=95)
    # Where the stored picture's first corner is to be seen (EXIF 2.32, table 6).
    corner = {1: (5, 5), 2: (74, 5), 3: (74, 34), 4: (5, 34), 5: (5, 5), 6: (34, 5), 7: (34, 74), 8: (5, 74)}[
        orientation
    ]
    with Image.open(made(path, tmp_path).path) as image:
        assert image.size == ((80, 40) if orientation < 5 else (40, 80))
        red, green, _ = image.convert("RGB").getpixel(corner)  # pyright: ignore
        assert red > 200 and green < 80


def test_colours_of_a_profile_are_kept(tmp_path: Path):
    lab = ImageCms.createProfile("LAB")
    assert lab  # littlecms is there
    wide = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (40, 30), (200, 30, 60)).save(wide, "PNG", icc_profile=profile)
    path = tmp_path / "p.png"
    path.write_bytes(wide.getvalue())
    with Image.open(made(path, tmp_path).path) as image:
        assert image.convert("RGB").getpixel((5, 5)) == pytest.approx((200, 30, 60), abs=6)


def sixteen_bit_rgb(path: Path) -> None:
    """A PNG of 16 bits a sample in three colours, which Pillow reads and does not write."""
    row = b"\0" + struct.pack(">3H", 0x8000, 0x4000, 0xC000) * 40
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 40, 30, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * 30)),
        (b"IEND", b""),
    ]
    data = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def test_depths_and_colour_models(tmp_path: Path):
    path = tmp_path / "p"
    sixteen_bit_rgb(path)
    with Image.open(made(path, tmp_path).path) as image:
        assert image.convert("RGB").getpixel((5, 5)) == pytest.approx((128, 64, 192), abs=4)
    Image.new("CMYK", (40, 30), (0, 255, 255, 0)).save(path, "JPEG", quality=95)
    with Image.open(made(path, tmp_path).path) as image:
        red, green, blue = image.convert("RGB").getpixel((5, 5))  # pyright: ignore
        assert red > 200 and green < 60 and blue < 60
    palette = noise((40, 30)).quantize(16)
    palette.save(path, "PNG", transparency=0)
    with Image.open(made(path, tmp_path).path) as image:
        assert image.mode == "RGBA"
    Image.new("F", (40, 30), 0.5).save(path, "TIFF")
    with pytest.raises(ContentError) as error:
        made(path, tmp_path)
    assert "floating-point" in error.value.message


def test_a_progressive_jpeg_with_three_scans_is_like_a_plain_one(tmp_path: Path):
    plain, progressive = tmp_path / "plain.jpg", tmp_path / "progressive.jpg"
    noise((400, 300)).save(plain, quality=90)
    noise((400, 300)).save(progressive, quality=90, progressive=True)
    assert made(plain, tmp_path).digest == made(progressive, tmp_path).digest


@pytest.mark.parametrize(
    ("size", "largest"), [((12_000, 900), (1920, 144)), ((300, 12_000), (300, 12_000)), ((12_000, 3), (1920, 1))]
)
def test_panoramas(size: tuple[int, int], largest: tuple[int, int], tmp_path: Path):
    path = tmp_path / "panorama.jpg"
    Image.new("RGB", size, "teal").save(path)
    result = made(path, tmp_path, -1)
    assert (result.width, result.height) == largest
    with Image.open(result.path) as image:
        assert image.size == largest


@pytest.mark.parametrize("form", ["JPEG", "progressive", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_half_a_picture_is_an_error_and_never_half_grey(form: str, share: float, tmp_path: Path):
    path = tmp_path / "half"
    options = {"progressive": True} if form == "progressive" else {}
    noise((400, 300)).save(path, "JPEG" if form == "progressive" else form, **options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert refused(path).code == "media-unreadable"


FRAMES = [Image.new("RGB", (60, 40), colour) for colour in ("red", "green", "blue")]


@pytest.mark.parametrize(("form", "loop", "rounds"), [("GIF", 0, 0), ("GIF", 3, 4), ("PNG", 2, 2), ("WEBP", 5, 5)])
def test_animations_keep_frames_times_and_rounds(form: str, loop: int, rounds: int, tmp_path: Path):
    path = tmp_path / "moving"
    FRAMES[0].save(path, form, save_all=True, append_images=FRAMES[1:], duration=[100, 250, 40], loop=loop)
    assert probe(path, "image", SETTINGS).frames == 3
    with Image.open(made(path, tmp_path).path) as image:
        assert (image.n_frames, image.info["loop"]) == (3, rounds)  # pyright: ignore
        times = []
        for number, colour in enumerate(((255, 0, 0), (0, 128, 0), (0, 0, 255))):
            image.seek(number)
            image.load()
            times.append(image.info["duration"])
            assert image.convert("RGB").getpixel((5, 5)) == pytest.approx(colour, abs=12)
    assert times == [100, 250, 40]


def test_a_gif_without_rounds_plays_once_and_too_short_times_are_as_browsers_show_them(tmp_path: Path):
    path = tmp_path / "once.gif"
    FRAMES[0].save(path, save_all=True, append_images=FRAMES[1:], duration=10)
    with Image.open(made(path, tmp_path).path) as image:
        image.load()
        assert (image.info["loop"], image.info["duration"]) == (1, 100)


def test_an_animated_avif_moves_on(tmp_path: Path):
    path = tmp_path / "moving.avif"
    FRAMES[0].save(path, save_all=True, append_images=FRAMES[1:], duration=100)
    with Image.open(made(path, tmp_path).path) as image:
        assert image.n_frames == 3  # pyright: ignore


def claiming(path: Path, width: int, height: int) -> None:
    """A PNG of a few bytes that claims a size, with as much data as it needs for its first line."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000_000))), (b"IEND", b"")]
    data = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def gif_of_many(path: Path, frames: int) -> None:
    first = io.BytesIO()
    Image.new("P", (1, 1)).save(first, "GIF")
    data = first.getvalue()
    head, image = data[: data.index(b",")], data[data.index(b",") : -1]
    path.write_bytes(head + image * frames + b";")


def test_bombs_are_refused_quickly(tmp_path: Path):
    path = tmp_path / "bomb"
    begun = time.monotonic()
    for width, height in ((50_000, 50_000), (300_000_000, 1), (1, 2_000_000_000)):
        claiming(path, width, height)
        assert refused(path).code in ("media-too-large", "media-unreadable")
    gif_of_many(path, 100_000)
    error = refused(path)
    assert error.code == "media-too-large" and "frames" in error.message
    FRAMES[0].save(path, "GIF", save_all=True, append_images=FRAMES[1:])
    assert refused(path, Settings(image_max_pixels=3 * 60 * 40 - 1)).code == "media-too-large", "over all frames"
    assert refused(path, Settings(image_max_frames=2)).code == "media-too-large"
    assert time.monotonic() - begun < 60


def test_what_only_begins_like_a_picture(tmp_path: Path):
    path = tmp_path / "odd"
    for data in (
        b"\x89PNG\r\n\x1a\n" + b"PK\x03\x04" * 100,
        b"GIF89a" + b"\xff" * 50,
        b"\xff\xd8\xff\xe0" + b"JFIF" * 9,
    ):
        path.write_bytes(data)
        assert refused(path).code == "media-unreadable"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_avif_shows_what_the_webp_shows(mode: str, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker of secrets"
    path = tmp_path / "photo.png"
    picture = noise((800, 600), mode)
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(path, exif=exif)
    recipes = plan("image", probe(path, "image", SETTINGS, "my-picture"))
    pairs = [
        [render(path, each, tmp_path, lambda _: None, SETTINGS) for each in recipes if each.name.endswith(f"-{width}")]
        for width in (320, 600)
    ]
    for webp, avif in pairs:
        assert (webp.media_type, avif.media_type) == ("image/webp", "image/avif")
        assert b"secret" not in avif.path.read_bytes()
        with Image.open(webp.path) as first, Image.open(avif.path) as second:
            assert second.format == "AVIF"
            assert first.size == second.size == (avif.width, avif.height)
            assert first.has_transparency_data == second.has_transparency_data == (mode == "RGBA")
            difference = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
            assert max(ImageStat.Stat(difference).mean) < 4
        again = render(path, recipes[-1], tmp_path, lambda _: None, SETTINGS)
        assert again.digest == pairs[-1][1].digest
