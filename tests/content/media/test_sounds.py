"""Sounds: one loudness for all, whatever came, measured by ffmpeg in what came out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import av
import pytest

from cluster.settings import Settings
from content.errors import ContentError
from content.media import AudioRecipe, OpusRecipe, Rendition, choose, plan
from content.media.loudness import CEILING_DB, Level, Measured, level, made_up, parse_measured
from tasks.render import Rendered, probe, render
from tasks.rendering.decoders import ffmpeg_path

SETTINGS = Settings()


def generate(path: Path, source: str, *arguments: str) -> Path:
    argv = [ffmpeg_path(), "-y", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", source]
    subprocess.run([*argv, *arguments, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


def measured(path: Path) -> tuple[float, float]:
    """(integrated loudness in LUFS, true peak in dBTP) of a file, by a measurement that is not ours."""
    argv = [
        ffmpeg_path(),
        "-nostdin",
        "-hide_banner",
        "-i",
        str(path),
        "-vn",
        "-af",
        "ebur128=peak=true",
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(argv, capture_output=True, check=True, text=True).stderr.rpartition("Summary:")[2]
    found = re.findall(r"(?:I|Peak):\s+(-?[\d.]+|-inf)", said)
    return float(found[0]), float(found[1])


def made(path: Path, folder: Path) -> tuple[Rendered, Rendered]:
    """AAC and Opus."""
    recipes = plan("audio", probe(path, "audio", SETTINGS, "my-sound"))
    assert [type(each) for each in recipes] == [AudioRecipe, OpusRecipe]
    first, second = (render(path, each, folder, lambda _: None, SETTINGS, "my-sound") for each in recipes)
    return first, second


LEVELS = {
    "quiet": "anoisesrc=d=4:c=pink:a=0.05:seed=1",
    "loud": "anoisesrc=d=4:c=pink:a=1:seed=1",
    # Clicks far above a low hum: the gain that the hum needs would lift them over any ceiling.
    "peaks": "aevalsrc='0.05*sin(330*2*PI*t)+0.9*lt(mod(t\\,0.5)\\,0.002)*sin(2000*2*PI*t)':d=4",
}


@pytest.mark.parametrize("name", LEVELS)
def test_loudness_and_true_peak(name: str, tmp_path: Path):
    path = generate(tmp_path / "sound.wav", LEVELS[name], "-ac", "2")
    for each in made(path, tmp_path):
        lufs, peak = measured(each.path)
        assert lufs == pytest.approx(-16, abs=0.5), each.recipe
        assert peak <= -1.5, each.recipe
        assert each.duration_s == pytest.approx(4, abs=0.1)
        assert each.bitrate


def test_codecs_channels_and_the_same_bytes_twice(tmp_path: Path):
    path = generate(tmp_path / "sound.wav", "sine=f=440:d=1")
    first, again = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    again.mkdir()
    aac, opus = made(path, first)
    assert [each.digest for each in made(path, again)] == [aac.digest, opus.digest]
    assert (aac.codecs, aac.media_type, opus.codecs, opus.media_type) == ("mp4a.40.2", "audio/mp4", "opus", "audio/ogg")
    assert aac.role == opus.role == "audio"
    for each in (aac, opus):
        with av.open(str(each.path)) as container:
            assert container.streams.audio[0].codec_context.channels == 1, "one channel stays one"
    assert opus.size_bytes < aac.size_bytes


@pytest.mark.parametrize(
    "source", ["aevalsrc=0:d=1", "sine=f=440:d=0.2", "aevalsrc=0.99*sin(440*2*PI*t):d=0.1", "aevalsrc=0:d=0.01"]
)
def test_silence_and_very_short_sounds(source: str, tmp_path: Path):
    path = generate(tmp_path / "sound.wav", source)
    for each in made(path, tmp_path):
        assert measured(each.path)[1] <= -1.5
        assert each.size_bytes > 0


def test_a_films_sound_has_the_same_loudness(tmp_path: Path):
    path = tmp_path / "film.mkv"
    generate(path, "testsrc2=s=64x48:d=4", "-f", "lavfi", "-i", "sine=f=300:d=4", "-af", "volume=-10dB", "-ac", "6")
    film = render(path, plan("video", probe(path, "video", SETTINGS))[0], tmp_path, lambda _: None, SETTINGS)
    assert measured(film.path)[0] == pytest.approx(-16, abs=0.5)


def test_a_cover_picture_in_a_sound(tmp_path: Path):
    cover = generate(tmp_path / "cover.png", "color=red:s=64x64", "-frames:v", "1")
    path = generate(tmp_path / "song.mp3", "sine=d=1", "-i", str(cover), "-map", "0", "-map", "1", "-disposition:v", "attached_pic")  # fmt: skip
    with av.open(str(made(path, tmp_path)[0].path)) as container:
        assert [each.type for each in container.streams] == ["audio"]


def test_a_film_without_sound_is_no_sound(tmp_path: Path):
    path = generate(tmp_path / "film.mp4", "testsrc2=s=64x48:d=0.2")
    with pytest.raises(ContentError) as refused:
        probe(path, "audio", SETTINGS, "my-sound")
    assert "no sound" in refused.value.message


def test_a_bundle_gets_the_sound_that_plays_everywhere():
    aac = Rendition("audio", "audio-aac", "audio/mp4", "sha256:a", 100)
    opus = Rendition("audio", "audio-opus", "audio/ogg", "sha256:b", 999)
    for profile in ("phone", "tablet", "desktop"):
        assert choose([aac, opus], profile) == choose([opus, aac], profile) == (aac,)


def test_levels_as_values():
    assert level(Measured(-30.0, -12.0)) == Level(14.0, True)
    assert level(Measured(-30.0, -25.0)) == Level(14.0, False)
    assert level(Measured(-10.0, -0.5)) == Level(-6.0, False)
    assert level(Measured(-70.0, -120.0)) == Level(0.0)
    assert level(Measured(-70.0, 0.0)) == Level(CEILING_DB)
    assert level(Measured(-60.0, -50.0)).gain_db == 30.0
    assert made_up(Level(14.0, True), Measured(-17.25, -3.0)) == Level(15.25, True)
    assert made_up(Level(14.0, True), Measured(-15.8, -3.0)) == Level(14.0, True)


def test_what_ffmpeg_wrote_is_read_from_its_end():
    lines = b"lavfi.r128.I=-30.1\nlavfi.r128.true_peak=0.1\n frame:2\nlavfi.r128.I=-23.5\nlavfi.r128.true_peaks_ch0=0.9\nlavfi.r128.true_peak=0.5\n"  # fmt: skip
    found = parse_measured(lines)
    assert (found.lufs, round(found.peak_db, 2)) == (-23.5, -6.02)
    assert parse_measured(b"") == Measured(-70.0, -120.0)
    assert parse_measured(b"lavfi.r128.I=-inf\nlavfi.r128.true_peak=nan\n") == Measured(-70.0, -120.0)
