"""The service's whole surroundings on one machine, from wheels: no docker, no root, nothing fetched at run time.

`stack.py` starts and stops the parts; each part (`postgres.py`, `nats.py`, `s3.py`, `keys.py`, `apps.py`, `ray_head.py`)
knows its own command, readiness and set-up. `edge.py` and `neighbours_app.py` are programs of ours that stand in for
the CDN and the neighbouring services. Production uses none of this: it is told by settings where the real ones are.
"""
