"""Films as cameras, telephones and old programs make them, and as they are after us."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from cluster.settings import Settings
from content.errors import ContentError
from content.media import PosterRecipe, Probe, VideoRecipe, findings, plan
from tasks.render import Rendered, probe, render
from tasks.rendering.decoders import ffmpeg_path

SETTINGS = Settings()
FAST = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    folder = tmp_path_factory.mktemp("films")

    def made(name: str, *arguments: str, picture: str = "testsrc2=s=96x64:r=25:d=1", sound: str = "") -> Path:
        path = folder / name
        inputs = ["-f", "lavfi", "-i", picture] + (["-f", "lavfi", "-i", sound] if sound else [])
        quiet = [ffmpeg_path(), "-y", "-nostdin", "-loglevel", "error"]
        subprocess.run([*quiet, *inputs, *arguments, str(path)], check=True, stdin=subprocess.DEVNULL)
        return path

    return made


def look(path: Path, settings: Settings = SETTINGS) -> Probe:
    return probe(path, "video", settings, "my-film")


def follow(path: Path, folder: Path, found: Probe | None = None) -> tuple[Rendered, Rendered]:
    """The smallest film and the poster."""
    recipes = plan("video", found or look(path))
    film = next(each for each in recipes if isinstance(each, VideoRecipe))
    poster = next(each for each in recipes if isinstance(each, PosterRecipe))
    first, second = (render(path, each, folder, lambda _: None, SETTINGS, "my-film") for each in (film, poster))
    return first, second


def refused(path: Path, settings: Settings = SETTINGS) -> ContentError:
    with pytest.raises(ContentError) as error:
        look(path, settings)
    assert "my-film" in error.value.message and not error.value.retryable
    return error.value


def facts(path: Path) -> dict[str, Any]:
    """What a player would find in a film of ours."""
    with av.open(str(path)) as opened:
        container: Any = opened
        video, sounds = container.streams.video[0], container.streams.audio
        streams = [each.type for each in container.streams]
        packets = [packet for packet in container.demux(video) if packet.pts is not None]
        container.seek(0)
        frames = list(container.decode(video))
        times = sorted(float(frame.time) for frame in frames)
        first = frames[0]
        return {
            "streams": streams,
            "size": (video.width, video.height),
            "shape": Fraction(video.sample_aspect_ratio or 1),
            "format": first.format.name,
            "colour": (int(first.colorspace), int(first.color_primaries), int(first.color_trc)),
            "rotation": first.rotation,
            "interlaced": any(frame.interlaced_frame for frame in frames),
            "keys": sorted(round(float(each.pts * each.time_base), 2) for each in packets if each.is_keyframe),
            "times": times,
            "steps": {round(b - a, 3) for a, b in itertools.pairwise(times)},
            "channels": sounds[0].codec_context.channels if sounds else 0,
            "length": container.duration / 1_000_000,
            "mean": [mean(plane) for plane in first.planes],
        }


def mean(plane: Any) -> float:
    """Of the samples of a plane, whose lines are longer in memory than the picture is wide."""
    data = bytes(plane)
    lines = [data[at * plane.line_size : at * plane.line_size + plane.width] for at in range(plane.height)]
    return sum(map(sum, lines)) / (plane.width * plane.height)


BT709 = (1, 1, 1)


def test_what_every_film_of_ours_is(make: Make, tmp_path: Path):
    sound = "sine=f=440:d=5"
    path = make("plain.mp4", *FAST, picture="testsrc2=s=96x64:r=25:d=5", sound=sound)
    film, poster = follow(path, tmp_path)
    found = facts(film.path)
    assert (found["streams"], found["format"], found["colour"]) == (["video", "audio"], "yuv420p", BT709)
    assert found["keys"] == [0.0, 2.0, 4.0]
    assert found["steps"] == {0.04}
    data = film.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert film.duration_s == pytest.approx(5, abs=0.1)
    assert film.bitrate == round(film.size_bytes * 8 / (film.duration_s or 1))
    assert (film.width, film.height, poster.width, poster.height) == (96, 64, 96, 64)
    assert film.codecs is not None and film.codecs.endswith(", mp4a.40.2")


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_films_are_upright_and_say_nothing_of_it(degrees: int, make: Make, tmp_path: Path):
    flat = make("flat.mp4", *FAST)
    turned = make(f"turned{degrees}.mp4", *FAST)
    argv = [ffmpeg_path(), "-y", "-loglevel", "error", "-display_rotation", str(degrees), "-i", str(flat)]
    subprocess.run([*argv, "-c", "copy", str(turned)], check=True)
    upright = (64, 96) if degrees != 180 else (96, 64)
    film, poster = follow(turned, tmp_path)
    found = facts(film.path)
    assert (found["size"], found["rotation"]) == (upright, 0)
    assert (poster.width, poster.height) == upright


def test_changing_rates_become_constant_and_keep_their_time(make: Make, tmp_path: Path):
    pick = "select='lt(n,30)+not(mod(n,7))'"  # half a second at 60, then few
    path = make("vfr.mp4", "-vf", pick, "-fps_mode", "vfr", *FAST, picture="testsrc2=s=96x64:r=60:d=3")
    film, _ = follow(path, tmp_path)
    found = facts(film.path)
    assert found["steps"] <= {0.033, 0.034}
    assert found["times"][0] == 0
    assert found["length"] == pytest.approx(3, abs=0.15)


@pytest.mark.parametrize(
    ("rate", "made"), [("60", "30"), ("50", "25"), ("60000/1001", "30000/1001"), ("24", "24"), ("12", "12")]
)
def test_rates(rate: str, made: str, make: Make):
    path = make(f"rate-{rate.replace('/', '-')}.mkv", *FAST, picture=f"testsrc2=s=32x32:r={rate}:d=1")
    (recipe, *_) = plan("video", look(path))
    assert isinstance(recipe, VideoRecipe)
    assert abs(Fraction(recipe.film.rate) - Fraction(made)) < Fraction(1, 100)


@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "pq"), ("arib-std-b67", "hlg")])
def test_high_dynamic_range_is_toned_down(transfer: str, name: str, make: Make, tmp_path: Path):
    tags = f"log-level=error:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    coded = ("-vf", "format=yuv420p10le", "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", tags)
    path = make(f"hdr-{name}.mp4", *coded, picture="color=c=0x808080:s=96x64:r=25:d=0.2")
    assert look(path).transfer == name
    found = facts(follow(path, tmp_path)[0].path)
    assert (found["format"], found["colour"]) == ("yuv420p", BT709)
    assert 20 < found["mean"][0] < 230, "neither black nor white"
    assert all(abs(each - 128) < 6 for each in found["mean"][1:]), "grey stays grey"


def test_colours_are_brought_to_one_standard(make: Make, tmp_path: Path):
    red = "color=c=0xff0000:s=96x64:r=25:d=0.2"
    tags = ("-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m")
    path = make("ten.mp4", "-vf", "scale=out_color_matrix=smpte170m,format=yuv422p10le", "-c:v", "libx264", *tags, picture=red)  # fmt: skip
    found = facts(follow(path, tmp_path)[0].path)
    assert (found["format"], found["colour"]) == ("yuv420p", BT709)
    assert found["mean"] == pytest.approx([63, 102, 240], abs=3)  # red in BT.709; 81, 90, 240 in BT.601


@pytest.mark.parametrize("size", ["97x65", "33x63", "1x1", "720x2"])
def test_odd_sizes_play(size: str, make: Make, tmp_path: Path):
    path = make(f"odd-{size}.mkv", "-c:v", "ffv1", picture=f"color=red:s={size}:r=25:d=0.2")
    width, height = facts(follow(path, tmp_path)[0].path)["size"]
    assert width % 2 == height % 2 == 0 and width >= 2 and height >= 2


def test_pixels_are_square_afterwards(make: Make, tmp_path: Path):
    path = make("anamorphic.mp4", "-vf", "setsar=2", *FAST)
    assert (look(path).width, look(path).height) == (192, 64)
    found = facts(follow(path, tmp_path)[0].path)
    assert (found["size"], found["shape"]) == ((192, 64), 1)


def test_interlaced_films_are_whole_pictures_afterwards(make: Make, tmp_path: Path):
    weave = ("-vf", "tinterlace=interleave_top,setfield=tff,fps=25", "-c:v", "mpeg2video", "-flags", "+ildct+ilme")
    path = make("interlaced.mpg", *weave, picture="testsrc2=s=96x64:r=50:d=1")
    assert look(path).interlaced
    found = facts(follow(path, tmp_path)[0].path)
    assert not found["interlaced"]


def test_the_marked_tracks_are_taken_and_everything_else_goes(make: Make, tmp_path: Path):
    chapters = tmp_path / "chapters.txt"
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=secret\n")
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    several = ("-i", str(words), "-i", str(chapters), "-map", "1:a", "-map", "0:v", "-map", "1:a", "-map", "2:s")
    marks = ("-map_chapters", "3", "-disposition:a:0", "0", "-disposition:a:1", "default", "-shortest")
    path = make("several.mkv", *several, *marks, *FAST, sound="sine=d=1")
    found = look(path)
    assert (found.picture, found.sound) == (1, 2)
    film, _ = follow(path, tmp_path, found)
    assert facts(film.path)["streams"] == ["video", "audio"]
    assert b"secret" not in film.path.read_bytes()


def test_a_cover_picture_is_no_film(make: Make, tmp_path: Path):
    cover = make("cover.png", "-frames:v", "1", picture="color=red:s=300x300")
    film = make("film.mp4", *FAST, sound="sine=d=1")
    with_cover, only_cover = tmp_path / "with.mp4", tmp_path / "only.mp4"
    base = [ffmpeg_path(), "-y", "-loglevel", "error", "-i", str(cover), "-i", str(film)]
    attach = ["-c", "copy", "-disposition:v:0", "attached_pic"]
    subprocess.run([*base, "-map", "0:v", "-map", "1:v", "-map", "1:a", *attach, str(with_cover)], check=True)
    subprocess.run([*base, "-map", "0:v", "-map", "1:a", *attach, str(only_cover)], check=True)
    assert facts(follow(with_cover, tmp_path)[0].path)["size"] == (96, 64)
    error = refused(only_cover)
    assert error.code == "media-unreadable" and "audio block" in error.message


def test_no_sound_and_surround_sound(make: Make, tmp_path: Path):
    assert facts(follow(make("silent.mp4", *FAST), tmp_path)[0].path)["channels"] == 0
    surround = "aevalsrc=0.1*sin(440*2*PI*t)|0|0.1*sin(660*2*PI*t)|0|0|0:c=5.1:d=1"
    film, _ = follow(make("surround.mkv", *FAST, sound=surround), tmp_path)
    assert facts(film.path)["channels"] == 2
    film, _ = follow(make("one-channel.mkv", *FAST, sound="sine=d=1"), tmp_path)
    assert facts(film.path)["channels"] == 1


@pytest.mark.parametrize("name", ["one.mp4", "one.mkv", "one.avi"])
def test_a_film_of_one_picture(name: str, make: Make, tmp_path: Path):
    film, poster = follow(make(name, "-frames:v", "1", *FAST), tmp_path)
    assert len(facts(film.path)["times"]) == 1
    assert poster.size_bytes > 0


def test_a_film_that_does_not_say_how_long_it_is(make: Make, tmp_path: Path):
    path = make("live.mkv", *FAST, "-f", "matroska", "-live", "1", picture="testsrc2=s=96x64:r=25:d=3")
    assert look(path).duration_s == pytest.approx(3, abs=0.1)
    assert follow(path, tmp_path)[0].duration_s == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("front", [True, False])
def test_a_film_that_was_cut_off_is_told_by_what_is_there(front: bool, make: Make, tmp_path: Path):
    layout = ("-movflags", "+faststart") if front else ()
    path = make(
        f"whole-{front}.mp4", *FAST, *layout, "-g", "5", picture="testsrc2=s=96x64:r=25:d=10", sound="sine=d=10"
    )
    whole = path.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    error = refused(cut)
    assert error.code == "media-truncated"
    assert "of 10.0 seconds" in error.message if front else "end of the file" in error.message
    assert "again" in error.remedy
    if front:
        cut.write_bytes(whole[: len(whole) * 97 // 100])
        found = look(cut)
        assert 0 < found.missing_s < 0.5
        assert found.duration_s < 10
        (finding,) = findings("my-film", found, ("/x",))
        assert (finding.code, finding.severity) == ("media-incomplete", "warning")
        assert follow(cut, tmp_path, found)[0].duration_s == pytest.approx(found.duration_s, abs=0.3)


def test_an_unknown_codec_is_named(make: Make, tmp_path: Path):
    path = make("known.mp4", *FAST)
    odd = tmp_path / "odd.mp4"
    odd.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1"))
    assert "xyz1" in refused(odd).message


def test_sizes_that_a_small_file_only_claims(make: Make, tmp_path: Path):
    path = make("claims.mp4", *FAST)
    data, at = bytearray(path.read_bytes()), path.read_bytes().index(b"avc1")
    data[at + 28 : at + 32] = b"\xff\xf0\xff\xf0"  # width and height of the sample entry (ISO 14496-12 §12.1.3)
    liar = tmp_path / "liar.mp4"
    liar.write_bytes(data)
    begun = time.monotonic()
    try:
        found = look(liar)
    except ContentError as error:
        assert error.code in ("media-too-large", "media-unreadable")
    else:
        assert (found.width, found.height) == (96, 64), "what the pictures are, not what the container claims"
    assert refused(path, Settings(video_max_pixels=96 * 64 - 1)).code == "media-too-large"
    assert time.monotonic() - begun < 60


def test_too_long_is_refused_before_it_costs_anything(make: Make):
    path = make("long.mp4", *FAST)
    error = refused(path, Settings(video_max_duration_s=0.5))
    assert error.code == "media-too-large" and "hours" in error.message


def test_noise_in_a_film_is_refused_and_a_scratch_is_not(make: Make, tmp_path: Path):
    path = make("clean.mp4", *FAST, "-g", "10", picture="testsrc2=s=96x64:r=25:d=4")
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + 4
    scratched, noise = tmp_path / "scratched.mp4", tmp_path / "noise.mp4"
    middle = begin + (len(data) - begin) // 3
    scratched.write_bytes(data[:middle] + bytes(40) + data[middle + 40 :])
    follow(scratched, tmp_path)
    end = data.index(b"moov") - 4
    noise.write_bytes(data[: begin + 600] + bytes((7 * n * n + n) % 251 for n in range(end - begin - 600)) + data[end:])
    with pytest.raises(ContentError) as refusal:
        follow(noise, tmp_path)
    assert not refusal.value.retryable
