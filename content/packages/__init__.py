"""PlayPackages: an immutable version of a course, ready to play.

`manifest` holds the document and its bytes, `build` makes it from a draft and what was rendered, `report` and
`media_report` tell what the author should know about the build and the files it was made of, `plan` which of it fits a space, and
`changes` what is new in a version.
"""

from content.packages.assets import AssetFile, AssetResult
from content.packages.build import Source, build_manifest
from content.packages.changes import Changes, compare
from content.packages.choices import Choices, Variant
from content.packages.embedded import Embedded
from content.packages.lite import lite_variants
from content.packages.manifest import Manifest, parse
from content.packages.media_report import invalid_media, media_findings
from content.packages.plan import RATES, Plan
from content.packages.planner import Planner
from content.packages.report import build_problems, embedded_packages, refuse_unbuildable

__all__ = [
    "RATES",
    "AssetFile",
    "AssetResult",
    "Changes",
    "Choices",
    "Embedded",
    "Manifest",
    "Plan",
    "Planner",
    "Source",
    "Variant",
    "build_manifest",
    "build_problems",
    "compare",
    "embedded_packages",
    "invalid_media",
    "lite_variants",
    "media_findings",
    "parse",
    "refuse_unbuildable",
]
