"""The scenes of a film: found by ffmpeg in a pass over its key frames.

Before: the probe of a film. After: the same probe with the times at which stills are taken.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from content.errors import ContentError
from content.media import Film, Probe, SceneRecipe
from content.media.scenes import MAX_READ_BYTES, parse_scenes, pick_scenes
from tasks.rendering.decoders import Decoding
from tasks.rendering.encoder import encode


def with_scenes(decoding: Decoding, found: Probe) -> Probe:
    """With the beginnings of its scenes; none, and so no lite edition, if they cannot be found. Raises ContentError as `encode`
    for what is not the film's fault."""
    written = decoding.output / f"scenes-{secrets.token_hex(8)}"
    try:
        encode(decoding, SceneRecipe(Film(found.picture, "")), written.name, found.duration_s, lambda _: None)
        with written.open("rb") as file:
            scenes = parse_scenes(file.read(MAX_READ_BYTES))
    except ContentError as error:
        if error.retryable or error.code not in ("render-failed", "media-unreadable"):
            raise
        return found
    finally:
        written.unlink(missing_ok=True)
    return replace(found, scenes=pick_scenes(scenes, found.duration_s))
