"""Media: what an original is, which renditions are made of it and how, and which one a device gets.

All pure: probes are handed in, commands are argv lists. `tasks.render` does the work.
"""

from content.media.captions import to_webvtt
from content.media.choose import PROFILES, Profile, choose
from content.media.commands import ffmpeg_argv
from content.media.findings import findings
from content.media.limits import MediaLimits
from content.media.plan import plan
from content.media.probe import Kind, Probe
from content.media.recipes import (
    AudioRecipe,
    CaptionsRecipe,
    CopyRecipe,
    ImageRecipe,
    PosterRecipe,
    Recipe,
    SvgRecipe,
    VideoRecipe,
)
from content.media.renditions import Rendition

__all__ = [
    "PROFILES",
    "AudioRecipe",
    "CaptionsRecipe",
    "CopyRecipe",
    "ImageRecipe",
    "Kind",
    "MediaLimits",
    "PosterRecipe",
    "Probe",
    "Profile",
    "Recipe",
    "Rendition",
    "SvgRecipe",
    "VideoRecipe",
    "choose",
    "ffmpeg_argv",
    "findings",
    "plan",
    "to_webvtt",
]
