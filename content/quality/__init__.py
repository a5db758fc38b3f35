"""The accessibility and quality report of a version: what a learner would miss, and what an author may want to change.

Pure: a draft, the manifest made of it, the problems of the build and what was seen of the media go in, a `Report` comes out.
`rules` is the table of all findings; each module beside it looks for one sort of them. Before: `content.packages` has built
the manifest. After: the build keeps the report with the version, and may be refused by it.
"""

from content.quality.assessment import MAX_FINDINGS, Report, assess
from content.quality.finding import Finding
from content.quality.refusal import refuse_findings
from content.quality.rules import RULES, Rule
from content.quality.sizes import QualityLimits

__all__ = ["MAX_FINDINGS", "RULES", "Finding", "QualityLimits", "Report", "Rule", "assess", "refuse_findings"]
