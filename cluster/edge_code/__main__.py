"""`python -m cluster.edge_code worker --site-url URL`: print a program for one installation; the Worker is deployed from this.

CloudFront's functions are in the documents of `cluster.aws.edge` already.
"""

from __future__ import annotations

import argparse
import sys

from cluster import edge_code
from cluster.edge import edge_rules

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m cluster.edge_code", description=__doc__)
    parser.add_argument("program", choices=(*edge_code.FUNCTIONS, "worker"))
    parser.add_argument("--site-url", required=True, help="origin of tenants' sites, with {tenant} in it")
    parser.add_argument(
        "--learner-origin", action="append", default=[], help="page that may frame the shell everywhere"
    )
    given = parser.parse_args()
    sys.stdout.write(edge_code.source(given.program, edge_rules.for_code(given.site_url), tuple(given.learner_origin)))
