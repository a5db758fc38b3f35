"""Judges manifests as they come out of kustomize: schemas with unknown fields refused, then rules of our own, each with a name.

A rule is a generator of `Finding`; a test has at least one wrong manifest for each. Nothing here talks to a cluster.
"""
