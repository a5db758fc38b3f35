"""What a package says it is: its manifest as a `Course`, whichever standard it follows.

read (which document) → manifest, cmi5, tincan, aicc (what it says) → launches (what is opened). Below them: xml (trees of
strangers), hrefs and files (which file is meant), identifiers, editions, metadata. `hrefs.split` takes a model's href apart.
"""

from content.scorm.course.hrefs import split
from content.scorm.course.read import read_course

__all__ = ["read_course", "split"]
