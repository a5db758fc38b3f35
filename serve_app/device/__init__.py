"""A device on the command line, as complete as one in a learner's hand.

It needs nothing of the service but its HTTP API and the edge: `folder.py` is its memory, `register.py` and `sync.py` go
online, `reading.py`, `unpack.py`, `page.py`, `exporting.py` and `importing.py` never do. `class_file.py` is a teacher's: one
file for the devices of a class.
"""
