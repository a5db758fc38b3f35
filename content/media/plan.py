"""Which renditions are made of an original: ladders of sizes that never go above the original's own.

Before: a `Probe`. After: `tasks.render` follows each recipe on its own, possibly at once on several machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from content.errors import ContentError
from content.media.probe import Kind, Probe
from content.media.recipes import (
    AudioRecipe,
    AvifRecipe,
    CaptionsRecipe,
    CopyRecipe,
    Film,
    ImageRecipe,
    OpusRecipe,
    PdfRecipe,
    PosterRecipe,
    Recipe,
    Sound,
    SpeechRecipe,
    StillRecipe,
    SvgRecipe,
    ThumbnailRecipe,
    VideoRecipe,
)

IMAGE_WIDTHS = (320, 640, 960, 1280, 1920)
MOST_AT_ONCE = 2 * len(IMAGE_WIDTHS)
MAX_POSTER_WIDTH = 960
STILL_WIDTH = 480
SPEECH_HZ, SPEECH_KBPS = 24_000, 32
THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT = 320, 960  # of a page; the height is for strips, which come out narrower
MAX_WEBP_SIDE = 16_383  # the format's own limit


# The shorter side in pixels → profile, quality and bit rates in kbit/s.
VIDEO_STEPS = {
    240: ("main", 27, 400, 64),
    480: ("high", 24, 1500, 96),
    720: ("high", 23, 3000, 128),
}
MAX_ASPECT = 4  # a film wider than that is scaled by its longer side
MIN_RATE, MAX_RATE = Fraction(1), Fraction(30)
MAX_RATE_PARTS = 8
SHORT_FILM_S = 2.0  # its poster is its first picture
_USUAL_RATE = Fraction(25)


def plan(kind: Kind, probe: Probe) -> tuple[Recipe, ...]:
    """The recipes for one original, of each sort the smallest first, at least one. Raises ContentError `media-unreadable` if the probe
    found another kind of thing or nothing to show."""
    if probe.kind != kind:
        raise ContentError("media-unreadable", f"The file holds {probe.kind}, where the draft names it as {kind}.")
    if kind in ("image", "video") and not (probe.width and probe.height):
        raise ContentError("media-unreadable", "The file has no picture in it.", "Export it again and upload it anew.")
    if kind == "image":
        return _image(probe)
    if kind == "video":
        return _video(probe)
    if kind == "audio":
        sound = _sound(probe)
        return AudioRecipe(sound, 64 * sound.channels), OpusRecipe(sound, 48 * sound.channels)
    return (CaptionsRecipe(),) if kind == "captions" else _file(probe)


def _file(probe: Probe) -> tuple[Recipe, ...]:
    if probe.media_type != PdfRecipe.media_type:
        return (CopyRecipe(),)
    return PdfRecipe(), *((ThumbnailRecipe(probe.width, probe.height),) if probe.width and probe.height else ())


def made_at_once(probe: Probe) -> bool:
    """Whether the renditions, at most `MOST_AT_ONCE`, are made by whoever looks at the original: they cost less than
    another sandbox would."""
    return probe.kind == "captions" or (probe.kind == "image" and not probe.animated)


def _image(probe: Probe) -> tuple[Recipe, ...]:
    if probe.media_type == SvgRecipe.media_type:
        return (SvgRecipe(width=probe.width, height=probe.height),)
    # A very tall picture must also fit WebP's limit on height.
    widest = min(probe.width, IMAGE_WIDTHS[-1], max(1, MAX_WEBP_SIDE * probe.width // probe.height))
    widths = dict.fromkeys(min(width, widest) for width in IMAGE_WIDTHS)
    sizes = [(width, min(_scaled(probe.height, width, probe.width), MAX_WEBP_SIDE)) for width in widths]
    webp = [ImageRecipe(width, height, probe.animated) for width, height in sizes]
    return (*webp, *(() if probe.animated else (AvifRecipe(width, height) for width, height in sizes)))


def _video(probe: Probe) -> tuple[Recipe, ...]:
    recipes: list[Recipe] = []
    film = Film(probe.picture, str(_rate(probe)), probe.interlaced, probe.transfer, probe.matrix)
    sound = _sound(probe) if probe.has_audio else None
    short, long = sorted((probe.width, probe.height))
    sizes = set[tuple[int, int]]()
    for step, (profile, crf, max_kbps, audio_kbps) in VIDEO_STEPS.items():
        target = max(1, min(step, short, MAX_ASPECT * step * short // long))
        # H.264 in 4:2:0 halves both sides for colour, so both are even; down, so that nothing grows.
        size = max(2, probe.width * target // short & ~1), max(2, probe.height * target // short & ~1)
        if size not in sizes:
            sizes.add(size)
            recipes.append(VideoRecipe(step, *size, film, sound, profile, crf, max_kbps, audio_kbps))
    width = min(probe.width, MAX_POSTER_WIDTH)
    at_s = round(min(probe.duration_s / 4, 5.0), 3) if probe.duration_s > SHORT_FILM_S else 0.0
    recipes.append(PosterRecipe(width, _scaled(probe.height, width, probe.width), film, at_s))
    return (*recipes, *_lite(probe, film))


def _lite(probe: Probe, film: Film) -> Iterator[Recipe]:
    """What stands in for a film where there is no room for it (`content.packages.lite`)."""
    width = min(probe.width, STILL_WIDTH)
    height = _scaled(probe.height, width, probe.width)
    for number, at_s in enumerate(probe.scenes, 1):
        yield StillRecipe(width, height, film, at_s, number=number)
    if probe.scenes and probe.has_audio:
        sound = Sound(probe.sound, 1, probe.gain_db, probe.limited, SPEECH_HZ)
        yield SpeechRecipe(sound, SPEECH_KBPS)


def _sound(probe: Probe) -> Sound:
    return Sound(probe.sound, min(max(probe.channels, 1), 2), probe.gain_db, probe.limited)


def _rate(probe: Probe) -> Fraction:
    """A constant rate from MIN_RATE to MAX_RATE. A higher one is divided, so that every second or third picture is
    shown and none is doubled; a film of changing rate, whose times fit only a very high one, gets the highest."""
    rate = Fraction(probe.rate or 0) or Fraction(probe.fps).limit_denominator(1001) or _USUAL_RATE
    if rate <= MAX_RATE:
        return max(rate, MIN_RATE)
    parts = -(-rate // MAX_RATE)
    steady = probe.fps > MAX_RATE or abs(float(rate / parts) - probe.fps) < 0.01 * probe.fps
    return rate / parts if parts <= MAX_RATE_PARTS and steady else MAX_RATE


def _scaled(height: int, width: int, of_width: int) -> int:
    return max(1, (2 * height * width + of_width) // (2 * of_width))
