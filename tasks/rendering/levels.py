"""The level of a sound: measured by ffmpeg in a first pass, so that the second one only applies a number.

Before: the probe of a film or sound. After: the same probe with gain and limiter, from which the recipes take them.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from content.media import LoudnessRecipe, Probe, Sound
from content.media.loudness import MEASURED_TAIL_BYTES, Level, Measured, level, made_up, parse_measured
from tasks.rendering.decoders import Decoding
from tasks.rendering.encoder import encode

MAX_STEPS, CLOSE_DB = 4, 0.2


def levelled(decoding: Decoding, found: Probe) -> Probe:
    """With the gain to the target loudness, measured again behind the limiter if its peaks need one. Raises
    ContentError as `encode`."""
    wanted = level(_measured(decoding, found, Level()))
    # More gain means more for the limiter to hold back, so it takes more than one step where peaks stand out far.
    for _ in range(MAX_STEPS if wanted.limited else 0):
        before, wanted = wanted, made_up(wanted, _measured(decoding, found, wanted))
        if wanted.gain_db - before.gain_db < CLOSE_DB:
            break
    return replace(found, gain_db=wanted.gain_db, limited=wanted.limited)


def _measured(decoding: Decoding, found: Probe, applied: Level) -> Measured:
    sound = Sound(found.sound, min(max(found.channels, 1), 2), applied.gain_db, applied.limited)
    written = decoding.output / f"loudness-{secrets.token_hex(8)}"
    try:
        encode(decoding, LoudnessRecipe(sound), written.name, found.duration_s, lambda _: None)
        with written.open("rb") as file:
            file.seek(max(0, written.stat().st_size - MEASURED_TAIL_BYTES))
            return parse_measured(file.read(MEASURED_TAIL_BYTES))
    finally:
        written.unlink(missing_ok=True)
