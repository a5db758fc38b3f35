"""Exports of imported packages: what came as SCORM, AICC, cmi5 or with a tincan.xml goes out again, repaired, or as a site.

`formats` says what is possible and why not → `editions` puts a course into the words of another edition → `repair` says what the
new manifest says → `manifest`, `cmi5`, `tincan` write it, `site` the page of the html export → `checks` → `plan`.
"""
