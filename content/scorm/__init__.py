"""SCORM packages of others: a zip is read under limits, understood tolerantly, and told about.

archive (which files there are, safely) → course (what the manifest says) → report (what its author should know). All of it is
called inside a sandbox; what comes out is checked again by whoever takes it. See docs/import-report.md.
"""
