"""How large a draft may be. Every number here is enforced by `content.drafts` and stands in the published schema.

They are set far above any course a person would write, and low enough that a hostile draft costs little to refuse.
"""

from __future__ import annotations

MAX_DOCUMENT_BYTES = 8 << 20  # canonical JSON of the whole draft
MAX_DEPTH = 24  # nested arrays and objects
MAX_UNITS = 200
MAX_BLOCKS = 2000  # in the whole course
MAX_UNIT_BLOCKS = 500
MAX_TEXT_CHARS = 100_000  # one text block or transcript in one language
MAX_LINE_CHARS = 2000  # a title, an alternative text, one answer
MAX_LANGUAGES = 40
MAX_QUESTIONS = 200  # in one quiz
MAX_CHOICES = 60  # choices, pairs or items of one question
MAX_TRACKS = 40  # caption tracks of one film or sound
MAX_AUTHORS = 100
MAX_ASSETS = 4000
MAX_PROBLEMS = 500  # reported at once; what follows is counted, not listed
MAX_FORMULAS = 1000  # in one text in one language; further ones stay as they are written
MAX_FORMULAS_CHARS = 30_000  # of all formulas of one text: reading them costs ten times what other text costs
MAX_COURSE_FORMULAS_CHARS = 200_000  # of all formulas of a course
MAX_FORMULA_CHARS = 2000
MAX_FORMULA_DEPTH = 40  # braces, brackets and environments within each other
