"""Pictures of pixels, by Pillow: opened under limits, turned upright, brought to 8-bit sRGB, scaled, written as WebP and AVIF.

Only the formats below are even looked at: others of Pillow's plugins start programs or are hardly ever fuzzed. A
picture is decoded once when it is looked at, so that one that was cut off is told before anything is made of it.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from content.errors import ContentError
from content.media import AvifRecipe, ImageRecipe, MediaLimits, Probe
from tasks.rendering.animations import count_frames, save_animation

# A JPEG with several pictures inside opens as "MPO" by way of "JPEG"; its first picture is taken.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)
# TIFF tags: a first picture that is a preview of another, a DNG's version, and how samples are to be read.
_SUBFILE, _DNG, _PHOTOMETRIC = 0x00FE, 0xC612, 0x0106
_SENSOR = (32803, 34892)  # colour filter array and linear raw: values of a camera's sensor
_BIT_DEPTH_16 = 1 / 256


def probe_image(path: Path, limits: MediaLimits, asset: str) -> Probe:
    """Size as shown and number of frames. Raises ContentError `media-unreadable`, `media-unsupported` or
    `media-too-large`."""
    with _opened(path, limits, asset) as image:
        turned = image.getexif().get(_ORIENTATION) in _SIDEWAYS
        probe = Probe(
            kind="image",
            media_type=Image.MIME.get(image.format or "", "application/octet-stream"),
            width=image.height if turned else image.width,
            height=image.width if turned else image.height,
            frames=count_frames(image, limits.image_frames),
            rotation={3: 180, 6: 90, 8: 270}.get(image.getexif().get(_ORIENTATION, 1), 0),
            has_alpha=image.has_transparency_data,
            codec=(image.format or "").lower(),
            size_bytes=path.stat().st_size,
        )
        _decode(image, probe.frames)
        return probe


def render_image(
    path: Path,
    wanted: Mapping[Path, ImageRecipe | AvifRecipe],
    progress: Callable[[float], None],
    limits: MediaLimits,
    asset: str,
) -> None:
    """Write to each of these paths what its recipe says, all of the same size: the picture is decoded and scaled once."""
    (size,) = {(recipe.width, recipe.height) for recipe in wanted.values()}
    with _opened(path, limits, asset) as image:
        for target, recipe in wanted.items():
            if isinstance(recipe, ImageRecipe) and recipe.animated:
                frames = count_frames(image, limits.image_frames)
                save_animation(image, frames, lambda frame: _plain(frame, size), target, _options(recipe), progress)
                progress(1.0)
                return
        # A JPEG can be decoded at an eighth, a quarter or half of its size; the ladder's small rungs need no more.
        image.draft("RGB", (max(size), max(size)))
        plain = _plain(image, size)
        for target, recipe in wanted.items():
            plain.save(target, "AVIF" if isinstance(recipe, AvifRecipe) else "WEBP", **_options(recipe))
    progress(1.0)


def _options(recipe: ImageRecipe | AvifRecipe) -> dict[str, int]:
    if isinstance(recipe, AvifRecipe):
        return {"quality": recipe.quality, "speed": recipe.speed, "max_threads": recipe.threads}
    return {"quality": recipe.quality, "method": recipe.effort}


def _decode(image: Image.Image, frames: int) -> None:
    """Read every byte of the picture, a JPEG at an eighth of its size; an animation to its last frame."""
    image.draft("L", (1, 1))
    if frames > 1:
        image.seek(frames - 1)
    image.load()


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
        image = image.convert("I").point(lambda value: value * _BIT_DEPTH_16).convert("L")
    elif image.mode == "F":
        raise ValueError("its samples are floating-point numbers")
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


@contextmanager
def _opened(path: Path, limits: MediaLimits, asset: str) -> Iterator[Image.Image]:
    """The picture, sizes checked before a pixel is decoded; whatever Pillow raises inside becomes a ContentError."""
    # Pillow's own limit belongs to the whole process, so it is put back; it raises only at twice its value.
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limits.image_pixels
    try:
        with Image.open(path, formats=FORMATS) as image:
            _refuse(image, limits, asset)
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(asset, limits) from error
    except UnidentifiedImageError as error:
        raise _unreadable(asset, "it is no picture in a format that is known here") from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError) as error:
        if getattr(error, "errno", None) == errno.EFBIG:  # of what is written, which is not the picture's fault
            raise
        raise _unreadable(asset, str(error) or type(error).__name__) from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _refuse(image: Image.Image, limits: MediaLimits, asset: str) -> None:
    if image.width * image.height > limits.image_pixels:
        raise _too_large(asset, limits)
    frames = count_frames(image, limits.image_frames)
    if frames > limits.image_frames:
        message = f"The picture “{asset}” has more than {limits.image_frames} frames."
        raise ContentError("media-too-large", message, "Upload a shorter one, or make a film of it.")
    if image.width * image.height * frames > limits.image_pixels:
        raise _too_large(asset, limits)
    if image.format == "TIFF":
        tags = image.getexif()
        if _DNG in tags or int(tags.get(_SUBFILE, 0)) & 1 or tags.get(_PHOTOMETRIC) in _SENSOR:
            message = f"“{asset}” is a camera's raw picture, which is not taken here."
            raise ContentError("media-unsupported", message, "Develop it and export it as JPEG, then upload that.")


def _unreadable(asset: str, why: str) -> ContentError:
    remedy = "Export it again as JPEG, PNG or WebP and upload it anew."
    return ContentError("media-unreadable", f"The picture “{asset}” cannot be read: {why}.", remedy)


def _too_large(asset: str, limits: MediaLimits) -> ContentError:
    message = f"The picture “{asset}” has more than {limits.image_pixels // 1_000_000} million pixels."
    return ContentError("media-too-large", message, "Upload a smaller one.")
