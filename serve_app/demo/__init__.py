"""The main job, end to end, on the local stack: publish, enrol, download, open, republish, refuse; each step verified.

`scenario.py` is the story, `steps.py` times and records it, `waiting.py` watches the service, `checks.py` looks at what
came of it, `refusals.py` breaks things on purpose, `report.py` tells.
"""
