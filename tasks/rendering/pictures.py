"""Pictures, by Pillow in this process: opened with a pixel limit, turned upright, brought to sRGB, scaled, written.

Only the formats below are even looked at: others of Pillow's plugins start programs or are hardly ever fuzzed.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageCms, ImageOps, ImageSequence, UnidentifiedImageError

from content.errors import ContentError
from content.media import ImageRecipe, Probe

# A JPEG with several pictures inside opens as "MPO" by way of "JPEG"; its first picture is taken.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)
_MIN_FRAME_MS = 20  # browsers slow shorter ones down to 100 ms


def probe_image(path: Path, max_pixels: int, asset: str) -> Probe:
    """Size as shown and number of frames. Raises ContentError `media-unreadable` or `media-too-large`."""
    with _opened(path, max_pixels, asset) as image:
        turned = image.getexif().get(_ORIENTATION) in _SIDEWAYS
        return Probe(
            kind="image",
            media_type=Image.MIME.get(image.format or "", "application/octet-stream"),
            width=image.height if turned else image.width,
            height=image.width if turned else image.height,
            frames=_frames(image),
            rotation={3: 180, 6: 90, 8: 270}.get(image.getexif().get(_ORIENTATION, 1), 0),
            has_alpha=image.has_transparency_data,
            codec=(image.format or "").lower(),
            size_bytes=path.stat().st_size,
        )


def render_image(
    path: Path, recipe: ImageRecipe, target: Path, progress: Callable[[float], None], max_pixels: int, asset: str
) -> None:
    """Write the WebP of the recipe to `target`."""
    size = (recipe.width, recipe.height)
    options = {"quality": recipe.quality, "method": recipe.effort}
    with _opened(path, max_pixels, asset) as image:
        if recipe.animated:
            _animation(image, size, target, options, progress)
        else:
            # A JPEG can be decoded at an eighth, a quarter or half of its size; the ladder's small rungs need no more.
            image.draft("RGB", (max(size), max(size)))
            _plain(image, size).save(target, "WEBP", **options)
    progress(1.0)


def _animation(
    image: Image.Image, size: tuple[int, int], target: Path, options: dict[str, int], progress: Callable[[float], None]
) -> None:
    frames: list[Image.Image] = []
    times: list[int] = []
    count = _frames(image)
    for frame in ImageSequence.Iterator(image):
        frames.append(_plain(frame.convert("RGBA"), size))
        times.append(max(int(frame.info.get("duration", 100)), _MIN_FRAME_MS))
        progress(0.9 * len(frames) / count)
    loop = int(image.info.get("loop", 1))
    frames[0].save(target, "WEBP", save_all=True, append_images=frames[1:], duration=times, loop=loop, **options)


def _plain(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Upright, 8-bit sRGB with or without alpha, of this size, without any metadata."""
    upright = _srgb(ImageOps.exif_transpose(image))
    if upright.size != size:
        upright = upright.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    upright.info.clear()
    return upright


def _srgb(image: Image.Image) -> Image.Image:
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):  # 16 bits a sample: Pillow would clip, not scale
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(
                image, source, target, outputMode="RGBA" if image.mode == "RGBA" else "RGB"
            )
            image = converted or image
        except ImageCms.PyCMSError:
            pass  # a broken profile: its numbers are taken for sRGB, as browsers do
    return image.convert(wanted)


def _frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1)) if image.format in _ANIMATED else 1


@contextmanager
def _opened(path: Path, max_pixels: int, asset: str) -> Iterator[Image.Image]:
    """The picture, sizes checked before a pixel is decoded; whatever Pillow raises inside becomes a ContentError."""
    # Pillow's own limit belongs to the whole process, so it is put back; it raises only at twice its value.
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height * _frames(image) > max_pixels:
                raise _too_large(asset, max_pixels)
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(asset, max_pixels) from error
    except UnidentifiedImageError as error:
        raise _unreadable(asset, "it is no picture in a format that is known here") from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError) as error:
        raise _unreadable(asset, str(error) or type(error).__name__) from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _unreadable(asset: str, why: str) -> ContentError:
    remedy = "Export it again as JPEG, PNG or WebP and upload it anew."
    return ContentError("media-unreadable", f"The picture “{asset}” cannot be read: {why}.", remedy)


def _too_large(asset: str, max_pixels: int) -> ContentError:
    message = f"The picture “{asset}” has more than {max_pixels // 1_000_000} million pixels."
    return ContentError("media-too-large", message, "Upload a smaller one.")
