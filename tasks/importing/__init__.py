"""Packages of other tools: uploaded, read in the sandbox, and made a version of a course."""
