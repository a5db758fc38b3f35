"""A device on the command line, as complete as one in a learner's hand.

It needs nothing of the service but its HTTP API and the edge: `folder.py` is its memory, `register.py` and `sync.py` go
online, `reading.py`, `unpack.py` and `page.py` never do.
"""
