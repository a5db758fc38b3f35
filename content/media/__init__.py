"""Media: what an original is, which renditions are made of it and how, and which one a device gets.

All pure: probes are handed in, commands are argv lists. `tasks.render` does the work.
"""

from content.media.captions import to_webvtt
from content.media.choose import PROFILES, Profile, choose, worth_keeping
from content.media.commands import ffmpeg_argv
from content.media.findings import findings
from content.media.limits import MediaLimits
from content.media.plan import MOST_AT_ONCE, made_at_once, plan
from content.media.probe import PROBE_VERSION, Kind, Probe
from content.media.recipes import (
    AudioRecipe,
    AvifRecipe,
    CaptionsRecipe,
    CopyRecipe,
    Film,
    ImageRecipe,
    LoudnessRecipe,
    OpusRecipe,
    PdfRecipe,
    PosterRecipe,
    Recipe,
    SceneRecipe,
    Sound,
    SpeechRecipe,
    StillRecipe,
    SvgRecipe,
    ThumbnailRecipe,
    VideoRecipe,
)
from content.media.renditions import Rendition

__all__ = [
    "MOST_AT_ONCE",
    "PROBE_VERSION",
    "PROFILES",
    "AudioRecipe",
    "AvifRecipe",
    "CaptionsRecipe",
    "CopyRecipe",
    "Film",
    "ImageRecipe",
    "Kind",
    "LoudnessRecipe",
    "MediaLimits",
    "OpusRecipe",
    "PdfRecipe",
    "PosterRecipe",
    "Probe",
    "Profile",
    "Recipe",
    "Rendition",
    "SceneRecipe",
    "Sound",
    "SpeechRecipe",
    "StillRecipe",
    "SvgRecipe",
    "ThumbnailRecipe",
    "VideoRecipe",
    "choose",
    "ffmpeg_argv",
    "findings",
    "made_at_once",
    "plan",
    "to_webvtt",
    "worth_keeping",
]
