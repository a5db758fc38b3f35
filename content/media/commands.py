"""The ffmpeg command of a recipe, written down by `ffmpeg-python`; nothing is run here.

Reading is confined to plain media containers in a local file: an "mp4" that is really a playlist could otherwise name
any file or address of the machine. Writing is bit-exact: no encoder names, dates or source metadata, a fixed number of
threads everywhere. Every filter works on a few frames at a time, so memory does not grow with the length of a film.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from content.media.limits import MediaLimits
from content.media.loudness import CEILING_DB
from content.media.recipes import (
    DECODER_THREADS,
    AudioRecipe,
    Film,
    LoudnessRecipe,
    OpusRecipe,
    PosterRecipe,
    Recipe,
    SceneRecipe,
    Sound,
    VideoRecipe,
)

# Demuxers that read one self-contained file. Not among them: hls, concat, dash, image2 and other lists of files.
CONTAINERS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,wav,aiff,mp3,flac,aac,w64,caf"
PROTOCOLS = "file,pipe"
MAX_ERROR_RATE = 0.05  # a film of which more cannot be decoded is no film any more

_BITEXACT: dict[str, Any] = {"fflags": "+bitexact", "map_metadata": -1, "map_chapters": -1, "sn": None, "dn": None}
_SCALER = "bicubic+accurate_rnd+bitexact"
_TRANSFERS = {"pq": "smpte2084", "hlg": "arib-std-b67"}
_LIMITER_HZ = 192_000  # peaks between samples are only seen at a multiple of their rate


def ffmpeg_argv(recipe: Recipe, src: Path, dst: Path, limits: MediaLimits | None = None) -> list[str]:
    """The arguments that make `dst` of `src`, first the word `ffmpeg`; progress goes to standard output.

    Raises TypeError for a recipe that ffmpeg does not follow (images, captions, copies).
    """
    max_pixels = (limits or MediaLimits()).video_pixels
    if isinstance(recipe, VideoRecipe):
        output = _video(recipe, _input(src, DECODER_THREADS, max_pixels), dst)
    elif isinstance(recipe, PosterRecipe):
        output = _poster(recipe, _input(src, 1, max_pixels, ss=f"{recipe.at_s:.3f}"), dst)
    elif isinstance(recipe, AudioRecipe):
        output = _audio(recipe, _input(src, 1, max_pixels), dst)
    elif isinstance(recipe, SceneRecipe):
        output = _scenes(recipe, _input(src, 1, max_pixels, skip_frame="nokey"), dst)
    elif isinstance(recipe, LoudnessRecipe):
        output = _loudness(recipe, _input(src, 1, max_pixels), dst)
    else:
        raise TypeError(f"ffmpeg does not follow {recipe.name}")
    quiet = ("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-stats_period", "0.2")
    bounded = ("-filter_complex_threads", "1", "-max_error_rate", str(MAX_ERROR_RATE))
    argv: list[str] = output.overwrite_output().compile()
    return [argv[0], *quiet, *bounded, "-progress", "pipe:1", *argv[1:]]


def _ffmpeg() -> Any:
    """The library, imported where a command is composed: sandboxes load this module before each job, and compose none."""
    import ffmpeg  # pyright: ignore[reportMissingTypeStubs]

    return cast("Any", ffmpeg)  # untyped since 2019


def _input(src: Path, threads: int, max_pixels: int, **options: Any) -> Any:
    confined = {"protocol_whitelist": PROTOCOLS, "format_whitelist": CONTAINERS}
    return _ffmpeg().input(f"file:{src}", **confined, threads=threads, max_pixels=max_pixels, **options)


def _pictures(source: Any, film: Film, width: int, height: int, *, paced: bool) -> Any:
    """Whole pictures of square pixels, 8-bit 4:2:0 in BT.709, whatever the film was coded in."""
    shown = source[str(film.track)]
    if film.interlaced:
        shown = shown.filter("bwdif", mode="send_frame", deint="interlaced")
    if paced:  # from 0 and constant: players show a film of changing rate as unevenly as it was recorded
        shown = shown.filter("fps", film.rate, start_time=0)
    colours: dict[str, Any] = {"out_color_matrix": "bt709", "out_range": "tv"}
    if film.matrix:
        colours["in_color_matrix"] = film.matrix
    if film.transfer:
        shown = _toned(shown.filter("scale", width, height, flags=_SCALER), film.transfer)
    else:
        shown = shown.filter("scale", width, height, flags=_SCALER, **colours)
    shown = shown.filter("format", "yuv420p").filter("setsar", 1)
    return shown.filter("setparams", color_primaries="bt709", color_trc="bt709", colorspace="bt709", range="tv")


def _toned(shown: Any, transfer: str) -> Any:
    """High dynamic range brought into BT.709: to linear light, its highlights compressed, and back."""
    source = {"tin": _TRANSFERS[transfer], "min": "bt2020nc", "pin": "bt2020", "rin": "tv"}
    linear = shown.filter("zscale", t="linear", npl=100, **source).filter("format", "gbrpf32le")
    toned = linear.filter("zscale", p="bt709").filter("tonemap", tonemap="hable", desat=0)
    return toned.filter("zscale", t="bt709", m="bt709", r="tv", p="bt709")


def _heard(source: Any, sound: Sound) -> Any:
    """One or two channels, levelled. Gaps are filled and the beginning is at 0, so that it stays with the picture."""
    heard = source[str(sound.track)].filter("aresample", sound.rate_hz, **{"async": 1, "first_pts": 0})
    heard = heard.filter("aformat", sample_fmts="fltp", channel_layouts="mono" if sound.channels == 1 else "stereo")
    if sound.gain_db:
        heard = heard.filter("volume", f"{sound.gain_db:.2f}dB", precision="float")
    if sound.limited:
        heard = heard.filter("aresample", _LIMITER_HZ)
        heard = heard.filter("alimiter", limit=round(10 ** (CEILING_DB / 20), 6), level=0, latency=1, release=80)
        heard = heard.filter("aresample", sound.rate_hz)
    return heard


def _video(recipe: VideoRecipe, source: Any, dst: Path) -> Any:
    streams = [_pictures(source, recipe.film, recipe.width, recipe.height, paced=True)]
    options: dict[str, Any] = {
        **_BITEXACT,
        "c:v": "libx264",
        "preset": recipe.preset,
        "profile:v": recipe.profile,
        "crf": recipe.crf,
        "maxrate": f"{recipe.max_kbps}k",
        "bufsize": f"{2 * recipe.max_kbps}k",
        "force_key_frames": f"expr:gte(t,n_forced*{recipe.key_frame_s})",
        "sc_threshold": 0,
        "flags:v": "+bitexact+cgop",
        "threads": recipe.threads,
        "write_tmcd": 0,
        "movflags": "+faststart",
        "f": "mp4",
    }
    if recipe.sound:
        streams.append(_heard(source, recipe.sound))
        options |= {"c:a": "aac", "b:a": f"{recipe.audio_kbps}k", "flags:a": "+bitexact"}
    return _ffmpeg().output(*streams, f"file:{dst}", **options)


def _poster(recipe: PosterRecipe, source: Any, dst: Path) -> Any:
    frame = _pictures(source, recipe.film, recipe.width, recipe.height, paced=False)
    options = {**_BITEXACT, "frames:v": 1, "c:v": "libwebp", "quality": recipe.quality, "flags:v": "+bitexact"}
    return _ffmpeg().output(frame, f"file:{dst}", **options, threads=1, f="webp")


def _audio(recipe: AudioRecipe, source: Any, dst: Path) -> Any:
    options = {**_BITEXACT, "vn": None, "b:a": f"{recipe.kbps}k", "flags:a": "+bitexact", "threads": 1}
    if isinstance(recipe, OpusRecipe):
        options |= {"c:a": "libopus", "application": "audio", "vbr": "on", "f": "ogg"}
    else:
        options |= {"c:a": "aac", "movflags": "+faststart", "f": "mp4"}
    return _ffmpeg().output(_heard(source, recipe.sound), f"file:{dst}", **options)


def _loudness(recipe: LoudnessRecipe, source: Any, dst: Path) -> Any:
    heard = _heard(source, recipe.sound).filter("ebur128", peak="true", metadata=1, framelog="quiet")
    heard = heard.filter("ametadata", mode="print", file=str(dst))
    return _ffmpeg().output(heard, "-", vn=None, sn=None, dn=None, f="null")


def _scenes(recipe: SceneRecipe, source: Any, dst: Path) -> Any:
    shown = source[str(recipe.film.track)].filter("scale", 160, -2, flags="fast_bilinear").filter("format", "gray")
    # Its own verdict wants two frames before to compare with, which key frames are not; so its threshold is out of reach.
    shown = shown.filter("scdet", threshold=100).filter("metadata", mode="print", key="lavfi.scd.mafd", file=str(dst))
    return _ffmpeg().output(shown, "-", an=None, sn=None, dn=None, fps_mode="passthrough", f="null")
