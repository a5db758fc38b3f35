"""Loudness by EBU R128: from what was measured of a sound to the gain that brings it to the target.

Before: `content.media.commands` has ffmpeg measure, `parse_measured` reads what it wrote. After: the recipes carry gain
and limiter, so that the second pass applies one number and changes nothing else about the sound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import log10

TARGET_LUFS = -16.0
TRUE_PEAK_DB = -1.5
# What encoding with loss may add to a peak, measured with AAC and Opus at our bit rates.
CODEC_MARGIN_DB = 1.5
CEILING_DB = TRUE_PEAK_DB - CODEC_MARGIN_DB
MAX_GAIN_DB = 30.0  # beyond it, it is the room that becomes loud
SILENCE_LUFS = -70.0  # the absolute gate of R128: what is below was not measured, also for sounds under 0.4 s
_MAX_MAKEUP_DB = 6.0
MEASURED_TAIL_BYTES = 16 * 1024  # of what ffmpeg wrote: the last values stand there

_LAST = re.compile(rb"lavfi\.r128\.(I|true_peak)=(-?[\d.]+|-?inf|nan)")


@dataclass(frozen=True)
class Measured:
    """Integrated loudness in LUFS (never below the gate) and true peak in dBTP."""

    lufs: float
    peak_db: float


@dataclass(frozen=True)
class Level:
    """What is done to a sound: a gain in dB, and whether peaks above the ceiling are held back."""

    gain_db: float = 0.0
    limited: bool = False


def parse_measured(tail: bytes) -> Measured:
    """The last values in what ffmpeg wrote while it measured; silence if it wrote none."""
    last = {name: float(value) for name, value in _LAST.findall(tail)}
    lufs, peak = last.get(b"I", SILENCE_LUFS), last.get(b"true_peak", 0.0)
    return Measured(max(lufs, SILENCE_LUFS) if lufs == lufs else SILENCE_LUFS, _decibels(peak))


def level(found: Measured) -> Level:
    """The gain to the target. A sound too short or too quiet to have a loudness is only kept below the ceiling."""
    if found.lufs <= SILENCE_LUFS:
        return Level(round(min(0.0, CEILING_DB - found.peak_db), 2))
    gain = min(TARGET_LUFS - found.lufs, MAX_GAIN_DB)
    return Level(round(gain, 2), found.peak_db + gain > CEILING_DB)


def made_up(before: Level, after: Measured) -> Level:
    """More gain for what the limiter took away: `after` was measured behind gain and limiter."""
    if before.gain_db >= MAX_GAIN_DB or after.lufs <= SILENCE_LUFS:
        return before
    missing = min(max(TARGET_LUFS - after.lufs, 0.0), _MAX_MAKEUP_DB)
    return Level(round(min(before.gain_db + missing, MAX_GAIN_DB), 2), before.limited)


def _decibels(linear: float) -> float:
    """Of a linear peak; -120 for none."""
    return 20 * log10(linear) if linear > 1e-6 else -120.0
