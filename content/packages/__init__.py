"""PlayPackages: an immutable version of a course, ready to play.

`manifest` holds the document and its bytes, `build` makes it from a draft and what was rendered, `report` tells what
the author should know about the build.
"""

from content.packages.assets import AssetFile, AssetResult
from content.packages.build import Source, build_manifest
from content.packages.manifest import Manifest, parse
from content.packages.report import build_problems, refuse_unbuildable

__all__ = [
    "AssetFile",
    "AssetResult",
    "Manifest",
    "Source",
    "build_manifest",
    "build_problems",
    "parse",
    "refuse_unbuildable",
]
