"""The ffmpeg command of a recipe, written down by `ffmpeg-python`; nothing is run here.

Reading is confined to plain media containers in a local file: an "mp4" that is really a playlist could otherwise name
any file or address of the machine. Writing is bit-exact: no encoder names, dates or source metadata, a fixed number of
threads everywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import ffmpeg  # pyright: ignore[reportMissingTypeStubs]

from content.media.recipes import AudioRecipe, PosterRecipe, Recipe, VideoRecipe

# Demuxers that read one self-contained file. Not among them: hls, concat, dash, image2 and other lists of files.
CONTAINERS = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,wav,aiff,mp3,flac,aac,w64,caf"
PROTOCOLS = "file,pipe"

_ffmpeg = cast("Any", ffmpeg)  # untyped since 2019
_BITEXACT: dict[str, Any] = {"fflags": "+bitexact", "map_metadata": -1, "map_chapters": -1, "sn": None, "dn": None}


def ffmpeg_argv(recipe: Recipe, src: Path, dst: Path) -> list[str]:
    """The arguments that make `dst` of `src`, first the word `ffmpeg`; progress goes to standard output.

    Raises TypeError for a recipe that ffmpeg does not follow (images, captions, copies).
    """
    if isinstance(recipe, VideoRecipe):
        output = _video(recipe, src, dst)
    elif isinstance(recipe, PosterRecipe):
        output = _poster(recipe, src, dst)
    elif isinstance(recipe, AudioRecipe):
        output = _audio(recipe, src, dst)
    else:
        raise TypeError(f"ffmpeg does not follow {recipe.name}")
    quiet = (
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-loglevel",
        "error",
        "-filter_complex_threads",
        "1",
        "-stats_period",
        "0.2",
    )
    argv: list[str] = output.overwrite_output().compile()
    return [argv[0], *quiet, "-progress", "pipe:1", *argv[1:]]


def _input(src: Path, threads: int, **options: Any) -> Any:
    return _ffmpeg.input(
        f"file:{src}", protocol_whitelist=PROTOCOLS, format_whitelist=CONTAINERS, threads=threads, **options
    )


def _picture(source: Any, recipe: VideoRecipe | PosterRecipe) -> Any:
    # Square pixels: players in browsers ignore the pixel shape.
    scaled = source["v:0"].filter("scale", recipe.width, recipe.height, flags="bicubic+accurate_rnd+bitexact")
    return scaled.filter("setsar", 1)


def _video(recipe: VideoRecipe, src: Path, dst: Path) -> Any:
    source = _input(src, recipe.threads)
    streams = [_picture(source, recipe).filter("format", "yuv420p")]
    options: dict[str, Any] = {
        **_BITEXACT,
        "c:v": "libx264",
        "preset": recipe.preset,
        "profile:v": recipe.profile,
        "crf": recipe.crf,
        "maxrate": f"{recipe.max_kbps}k",
        "bufsize": f"{2 * recipe.max_kbps}k",
        "fpsmax": recipe.fps_max,
        "force_key_frames": f"expr:gte(t,n_forced*{recipe.key_frame_s})",
        "sc_threshold": 0,
        "flags:v": "+bitexact",
        "threads": recipe.threads,
        "movflags": "+faststart",
        "f": "mp4",
    }
    if recipe.has_audio:
        streams.append(source["a:0"])
        options |= {"c:a": "aac", "b:a": f"{recipe.audio_kbps}k", "ac": 2, "ar": 48_000, "flags:a": "+bitexact"}
    return _ffmpeg.output(*streams, f"file:{dst}", **options)


def _poster(recipe: PosterRecipe, src: Path, dst: Path) -> Any:
    frame = _picture(_input(src, 1, ss=f"{recipe.at_s:.3f}"), recipe).filter("format", "yuv420p")
    options = {**_BITEXACT, "frames:v": 1, "c:v": "libwebp", "quality": recipe.quality, "flags:v": "+bitexact"}
    return _ffmpeg.output(frame, f"file:{dst}", **options, threads=1, f="webp")


def _audio(recipe: AudioRecipe, src: Path, dst: Path) -> Any:
    sound = _input(src, 1)["a:0"]
    sound = sound.filter("loudnorm", I=recipe.lufs, TP=recipe.true_peak_db, LRA=recipe.range_lu)
    sound = sound.filter("aresample", recipe.rate_hz)
    options = {**_BITEXACT, "vn": None, "c:a": "aac", "b:a": f"{recipe.kbps}k", "ac": recipe.channels}
    options |= {"flags:a": "+bitexact", "threads": 1, "movflags": "+faststart", "f": "mp4"}
    return _ffmpeg.output(sound, f"file:{dst}", **options)
