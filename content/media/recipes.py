"""Recipes: exactly how one rendition is made. Same original, recipe and toolchain → same bytes.

A recipe's digest is half of the cache key of a rendition (the other half is the original's digest), so everything that
changes the output is in it: the sizes, the quality, the number of encoder threads, and `version`, which is raised when
the code that follows the recipe changes its result.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from content.canonical import canonical, digest

# One: with a limit on the rate, what x264 gives a frame depends on how far its other threads have come by then, so that
# on a busy machine one film in fifteen came out as other bytes with two. Films of one course go side by side instead.
ENCODER_THREADS = 1
DECODER_THREADS = 2
KEY_FRAME_S = 2


@dataclass(frozen=True)
class Recipe:
    """What all recipes say: a `name` (unique among the recipes of one original), a version, the rendition's role."""

    version: ClassVar[int] = 1
    base: ClassVar[str] = ""
    role: ClassVar[str] = ""
    media_type: ClassVar[str] = "application/octet-stream"

    @property
    def name(self) -> str:
        return self.base

    def document(self) -> dict[str, Any]:
        """All that makes this recipe what it is, as JSON."""
        return {"name": self.name, "version": self.version, "role": self.role, "parameters": asdict(self)}

    def digest(self, toolchain: str) -> str:
        """Names this recipe as followed by these encoders (`tasks.render.toolchain()`)."""
        return digest(canonical({"recipe": self.document(), "toolchain": toolchain}))


@dataclass(frozen=True)
class ImageRecipe(Recipe):
    """WebP of this width and height in pixels; orientation applied, colours in sRGB, no metadata."""

    version: ClassVar[int] = 2
    base: ClassVar[str] = "image-webp"
    role: ClassVar[str] = "image"
    media_type: ClassVar[str] = "image/webp"

    width: int
    height: int
    animated: bool = False
    quality: int = 80
    effort: int = 4  # libwebp's method, 0 (fast) – 6

    @property
    def name(self) -> str:
        return f"{self.base}-{self.width}"


@dataclass(frozen=True)
class AvifRecipe(Recipe):
    """AVIF of this width and height beside the WebP, kept where it is smaller (`content.media.choose.worth_keeping`)."""

    base: ClassVar[str] = "image-avif"
    role: ClassVar[str] = "image"
    media_type: ClassVar[str] = "image/avif"

    width: int
    height: int
    quality: int = 60
    speed: int = 8  # libaom's, 0 (slow) – 10; at 8 it costs what the WebP costs
    threads: int = ENCODER_THREADS

    @property
    def name(self) -> str:
        return f"{self.base}-{self.width}"


@dataclass(frozen=True)
class SvgRecipe(Recipe):
    """The original's shapes, written anew without anything that runs, moves, loads or links."""

    base: ClassVar[str] = "image-svg"
    role: ClassVar[str] = "image"
    media_type: ClassVar[str] = "image/svg+xml"

    width: int
    height: int


@dataclass(frozen=True)
class Sound:
    """A track of sound and what is done to it: `gain_db` as measured in a first pass, a limiter if `limited`."""

    track: int
    channels: int
    gain_db: float = 0.0
    limited: bool = False
    rate_hz: int = 48_000


@dataclass(frozen=True)
class Film:
    """A track of pictures and how it is read: `transfer` and `matrix` as `Probe` says them."""

    track: int
    rate: str
    interlaced: bool = False
    transfer: str = ""
    matrix: str = ""


@dataclass(frozen=True)
class VideoRecipe(Recipe):
    """H.264/AAC in MP4, index in front, a key frame every `key_frame_s` seconds, a constant rate, 8-bit BT.709."""

    version: ClassVar[int] = 3
    base: ClassVar[str] = "video-h264"
    role: ClassVar[str] = "video"
    media_type: ClassVar[str] = "video/mp4"

    step: int  # the rung of the ladder (240, 480, 720); the size itself may be smaller, never larger
    width: int
    height: int
    film: Film
    sound: Sound | None
    profile: str
    crf: int
    max_kbps: int
    audio_kbps: int
    preset: str = "fast"
    key_frame_s: int = KEY_FRAME_S
    threads: int = ENCODER_THREADS

    @property
    def name(self) -> str:
        return f"{self.base}-{self.step}p"


@dataclass(frozen=True)
class PosterRecipe(Recipe):
    """One frame of a film as WebP, shown before it plays."""

    version: ClassVar[int] = 2
    base: ClassVar[str] = "poster-webp"
    role: ClassVar[str] = "poster"
    media_type: ClassVar[str] = "image/webp"

    width: int
    height: int
    film: Film
    at_s: float
    quality: int = 80


@dataclass(frozen=True)
class StillRecipe(PosterRecipe):
    """The frame with which a scene begins, for who has no room for the film."""

    version: ClassVar[int] = 1
    base: ClassVar[str] = "still-webp"
    role: ClassVar[str] = "still"

    quality: int = 70
    number: int = 1

    @property
    def name(self) -> str:
        return f"{self.base}-{self.number:02}"


@dataclass(frozen=True)
class AudioRecipe(Recipe):
    """AAC-LC in MP4, at the target loudness."""

    version: ClassVar[int] = 2
    base: ClassVar[str] = "audio-aac"
    role: ClassVar[str] = "audio"
    media_type: ClassVar[str] = "audio/mp4"

    sound: Sound
    kbps: int


@dataclass(frozen=True)
class OpusRecipe(AudioRecipe):
    """Opus in Ogg (RFC 7845), at the target loudness."""

    version: ClassVar[int] = 1
    base: ClassVar[str] = "audio-opus"
    media_type: ClassVar[str] = "audio/ogg"


@dataclass(frozen=True)
class SpeechRecipe(AudioRecipe):
    """The sound of a film by itself, as small as speech can be."""

    version: ClassVar[int] = 1
    base: ClassVar[str] = "audio-aac-speech"


@dataclass(frozen=True)
class SceneRecipe(Recipe):
    """No rendition: a pass over the key frames of a film, which writes how much each differs from the one before."""

    base: ClassVar[str] = "scenes"
    media_type: ClassVar[str] = "text/plain"

    film: Film


@dataclass(frozen=True)
class LoudnessRecipe(Recipe):
    """No rendition: the first pass over a sound, which writes its loudness so far every tenth of a second."""

    base: ClassVar[str] = "loudness"
    media_type: ClassVar[str] = "text/plain"

    sound: Sound


@dataclass(frozen=True)
class CaptionsRecipe(Recipe):
    """WebVTT of our own writing, from WebVTT or SRT."""

    base: ClassVar[str] = "captions-webvtt"
    role: ClassVar[str] = "captions"
    media_type: ClassVar[str] = "text/vtt"


@dataclass(frozen=True)
class CopyRecipe(Recipe):
    """The original's own bytes."""

    base: ClassVar[str] = "copy"
    role: ClassVar[str] = "file"


@dataclass(frozen=True)
class PdfRecipe(CopyRecipe):
    """The same of what is known to be a PDF, so that browsers open it."""

    base: ClassVar[str] = "copy-pdf"
    media_type: ClassVar[str] = "application/pdf"


@dataclass(frozen=True)
class ThumbnailRecipe(Recipe):
    """The first page of a PDF as a small WebP."""

    base: ClassVar[str] = "thumbnail-webp"
    role: ClassVar[str] = "thumbnail"
    media_type: ClassVar[str] = "image/webp"

    width: int
    height: int
    quality: int = 80
    effort: int = 4
