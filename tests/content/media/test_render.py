"""Real encoders on small generated media: what comes out, that it comes out the same twice, and that nothing stays."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from PIL import Image, ImageCms

from cluster.settings import Settings
from content.errors import ContentError
from content.media import AudioRecipe, ImageRecipe, PosterRecipe, Recipe, VideoRecipe, plan
from content.media.probe import Kind
from tasks.render import Rendered, probe, render, toolchain
from tasks.rendering.decoders import ffmpeg_path
from tests.support.sandboxes import sandboxed

SETTINGS = Settings()


def generate(path: Path, *arguments: str) -> Path:
    subprocess.run([ffmpeg_path(), "-loglevel", "error", *arguments, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("originals")


@pytest.fixture(scope="module")
def film(folder: Path) -> Path:
    picture, sound = "testsrc2=s=640x360:r=25:d=5", "sine=f=440:d=5"
    source = ("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-metadata", "title=secret place")
    return generate(folder / "film.mp4", *source, "-preset", "ultrafast")


@pytest.fixture(scope="module")
def long_film(folder: Path) -> Path:
    return generate(folder / "long.mp4", "-f", "lavfi", "-i", "testsrc2=s=854x480:r=25:d=60", "-preset", "ultrafast")


def photo(path: Path, size: tuple[int, int] = (700, 500), **options: object) -> Path:
    image = Image.linear_gradient("L").resize(size)
    Image.merge("RGB", (image, image.rotate(180), image.transpose(Image.Transpose.FLIP_TOP_BOTTOM))).save(
        path, **options
    )  # pyright: ignore
    return path


def made(path: Path, recipe: Recipe, workdir: Path, settings: Settings = SETTINGS) -> Rendered:
    workdir.mkdir(exist_ok=True)
    return render(path, recipe, workdir, lambda _: None, settings)


def recipes(path: Path, kind: Kind) -> tuple[Recipe, ...]:
    return plan(kind, probe(path, kind, SETTINGS))


def test_probe_of_a_film(film: Path):
    found = probe(film, "video", SETTINGS)
    assert (found.width, found.height, found.fps, found.has_audio, found.codec) == (640, 360, 25.0, True, "h264")
    assert found.duration_s == pytest.approx(5.0, abs=0.1)


def test_film_renditions_are_what_they_say_and_come_out_twice_alike(film: Path, tmp_path: Path):
    for recipe in recipes(film, "video"):
        first, second = (made(film, recipe, tmp_path / name) for name in "ab")
        assert first.digest == second.digest
        assert first.path.read_bytes() == second.path.read_bytes()
        assert first.size_bytes == first.path.stat().st_size
        assert b"secret place" not in first.path.read_bytes()
        assert pickle.loads(pickle.dumps(first)) == first
        if isinstance(recipe, VideoRecipe):
            check_film(first, recipe)
        else:
            assert isinstance(recipe, PosterRecipe)
            with Image.open(first.path) as poster:
                assert (poster.format, poster.size) == ("WEBP", (recipe.width, recipe.height))


def check_film(film: Rendered, recipe: VideoRecipe) -> None:
    data = film.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "faststart"
    assert film.codecs is not None and film.codecs.startswith("avc1.") and film.codecs.endswith("mp4a.40.2")
    with av.open(str(film.path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (recipe.width, recipe.height) == (film.width, film.height)
        keys = [float(packet.pts * packet.time_base) for packet in container.demux(stream) if packet.is_keyframe and packet.pts is not None]  # fmt: skip
    assert keys == [0.0, 2.0, 4.0]


def test_sound(film: Path, tmp_path: Path):
    recipe = recipes(film, "audio")[0]
    assert isinstance(recipe, AudioRecipe)
    first, second = (made(film, recipe, tmp_path / name) for name in "ab")
    assert first.digest == second.digest
    assert (first.codecs, first.media_type, first.width) == ("mp4a.40.2", "audio/mp4", None)
    assert first.duration_s == pytest.approx(5.0, abs=0.2)


def test_progress_rises_to_one(film: Path, tmp_path: Path):
    shares: list[float] = []
    render(film, recipes(film, "video")[1], tmp_path, shares.append, SETTINGS)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_turned_film_is_planned_and_made_upright(film: Path, folder: Path, tmp_path: Path):
    turned = generate(folder / "turned.mp4", "-display_rotation", "90", "-i", str(film), "-c", "copy")
    assert (probe(turned, "video", SETTINGS).width, probe(turned, "video", SETTINGS).height) == (360, 640)
    with av.open(str(made(turned, recipes(turned, "video")[0], tmp_path).path)) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (240, 426)


def test_pictures_are_upright_without_metadata_and_alike_twice(folder: Path, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "secret place"
    path = photo(folder / "turned.jpg", exif=exif, icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())  # fmt: skip
    assert (probe(path, "image", SETTINGS).width, probe(path, "image", SETTINGS).height) == (500, 700)
    for recipe in recipes(path, "image"):
        first, second = (made(path, recipe, tmp_path / name) for name in "ab")
        assert first.digest == second.digest
        with Image.open(first.path) as image:
            assert image.size == (first.width, first.height)
            assert not image.getexif() and "icc_profile" not in image.info
        assert b"secret place" not in first.path.read_bytes()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "I;16", "CMYK", "1"])
def test_every_sort_of_colour(mode: str, folder: Path, tmp_path: Path):
    path = folder / f"{mode.replace(';', '')}.{'tif' if mode == 'CMYK' else 'png'}"
    Image.new(mode, (40, 30), 30_000 if mode == "I;16" else None if mode == "CMYK" else 0).save(path)
    with Image.open(made(path, recipes(path, "image")[0], tmp_path).path) as image:
        assert image.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")
        if mode == "I;16":
            assert image.getpixel((5, 5))[0] == pytest.approx(30_000 >> 8, abs=3)  # pyright: ignore


def test_an_animation_stays_one(folder: Path, tmp_path: Path):
    frames = [Image.new("RGB", (50, 40), colour) for colour in ("red", "green", "blue")]
    path = folder / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=120, loop=0)
    recipe = recipes(path, "image")[0]
    assert isinstance(recipe, ImageRecipe) and recipe.animated
    first, second = (made(path, recipe, tmp_path / name) for name in "ab")
    assert first.digest == second.digest
    with Image.open(first.path) as image:
        assert image.n_frames == 3  # pyright: ignore


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{film}\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize("kind", ["image", "video", "audio"])
@pytest.mark.parametrize("text", ["", "this is no medium", PLAYLIST])
def test_what_is_no_medium_is_refused_by_name(kind: Kind, text: str, film: Path, tmp_path: Path):
    path = tmp_path / "original"
    path.write_text(text.format(film=film))
    with pytest.raises(ContentError) as refused:
        probe(path, kind, SETTINGS, "my-asset")
    assert refused.value.code == ("media-unsupported" if text == PLAYLIST else "media-unreadable")
    assert "my-asset" in refused.value.message


def test_the_encoder_does_not_follow_a_playlist_either(film: Path, tmp_path: Path):
    recipe = recipes(film, "video")[0]
    (tmp_path / "original").write_text(PLAYLIST.format(film=film))
    (tmp_path / "out").mkdir()
    with pytest.raises(ContentError) as refused:  # a length that is known, so that nobody looks at the file before
        render(tmp_path / "original", recipe, tmp_path / "out", lambda _: None, SETTINGS, duration_s=5.0)
    assert refused.value.code == "media-unreadable"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_picture_with_too_many_pixels(folder: Path, tmp_path: Path):
    path = photo(folder / "large.png")
    with pytest.raises(ContentError) as refused:
        probe(path, "image", Settings(image_max_pixels=700 * 500 - 1))
    assert refused.value.code == "media-too-large"


LIMITS = {
    "time": (Settings(ffmpeg_timeout_s=0.4), "longer than"),
    "size": (Settings(render_max_output_bytes=50_000), "larger than"),
    "memory": (Settings(ffmpeg_memory_bytes=200 << 20), "memory"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_hold_and_leave_nothing(limit: str, long_film: Path, tmp_path: Path):
    settings, words = LIMITS[limit]
    with pytest.raises(ContentError) as refused:
        made(long_film, recipes(long_film, "video")[1], tmp_path, settings)
    assert refused.value.code == "render-failed"
    assert words in refused.value.message
    assert list(tmp_path.iterdir()) == []
    assert sandboxed(tmp_path) == []


def test_whoever_stops_it_nothing_stays(long_film: Path, tmp_path: Path):
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(long_film, recipes(long_film, "video")[1], tmp_path, stop, SETTINGS)
    assert list(tmp_path.iterdir()) == []
    assert sandboxed(tmp_path) == []


SCRIPT = """
import sys
from pathlib import Path
from cluster.settings import Settings
from content.media import plan
from tasks.render import probe, render
film, workdir = Path(sys.argv[1]), Path(sys.argv[2])
settings = Settings(workspace=workdir / "work")
render(film, plan("video", probe(film, "video", settings))[1], workdir, lambda share: print(share, flush=True), settings)
"""


def test_the_encoder_dies_with_a_killed_worker(long_film: Path, tmp_path: Path):
    command = [sys.executable, "-c", SCRIPT, str(long_film), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as worker:
        assert worker.stdout is not None and worker.stdout.readline()
        encoders = [pid for pid in sandboxed(tmp_path) if pid != worker.pid]
        assert encoders, "it was not encoding"
        worker.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while sandboxed(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sandboxed(tmp_path) == []


def test_toolchain_names_the_encoders():
    assert toolchain() == toolchain()
    assert all(word in toolchain() for word in ("ffmpeg-", "pillow-", "libwebp-"))


def test_files_pass_through_and_captions_are_normalised(tmp_path: Path):
    original = tmp_path / "sheet"
    original.write_bytes(b"%PDF-1.7 ...")
    sheet = made(original, recipes(original, "file")[0], tmp_path / "out")
    assert sheet.path.read_bytes() == original.read_bytes()
    assert (sheet.role, sheet.media_type) == ("file", "application/pdf")
    original.write_text("1\n00:00:00,000 --> 00:00:01,000\nfajr\n")
    assert made(original, recipes(original, "captions")[0], tmp_path / "out").path.read_bytes().startswith(b"WEBVTT\n")
    original.write_text("no captions")
    with pytest.raises(ContentError) as refused:
        made(original, recipes(original, "captions")[0], tmp_path / "out")
    assert refused.value.code == "captions-unreadable"
    assert "sheet" in refused.value.message
