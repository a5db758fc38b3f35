"""Generated originals: small, real files, the same for the same arguments, each made once in a run."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from PIL import Image

from tasks.rendering.decoders import ffmpeg_path


def picture(folder: Path, seed: int, size: tuple[int, int] = (700, 400)) -> Path:
    """A PNG of coarse coloured squares; 700 pixels wide, so its ladder has three rungs (320, 640, 700)."""
    path = folder / f"picture-{seed}-{size[0]}x{size[1]}.png"
    if not path.exists():
        noise = random.Random(seed).randbytes(20 * 12 * 3)
        Image.frombytes("RGB", (20, 12), noise).resize(size, Image.Resampling.NEAREST).save(path)
    return path


def film(folder: Path, seconds: int, size: str = "128x96") -> Path:
    """An MP4 with picture and sound."""
    path = folder / f"film-{seconds}-{size}.mp4"
    if not path.exists():
        source = [f"testsrc2=size={size}:rate=30:duration={seconds}", f"sine=frequency=440:duration={seconds}"]
        inputs = [argument for each in source for argument in ("-f", "lavfi", "-i", each)]
        fast = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
        fresh = path.with_suffix(".new.mp4")
        argv = [ffmpeg_path(), "-nostdin", "-loglevel", "error", "-y", *inputs, *fast, str(fresh)]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        fresh.replace(path)
    return path


def sound(folder: Path) -> Path:
    path = folder / "sound.wav"
    if not path.exists():
        argv = [
            ffmpeg_path(),
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=330:duration=1",
        ]
        subprocess.run([*argv, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


def captions(folder: Path) -> Path:
    path = folder / "captions.srt"
    path.write_text("1\n00:00:00,100 --> 00:00:00,900\nHello\n", encoding="utf-8")
    return path
