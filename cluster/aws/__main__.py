"""`python -m cluster.aws FOLDER`: write every document for AWS, below a folder per region. Files that nothing makes any more go.

Part of `make manifests`. With `--account`, `--bucket-prefix` and `--cluster` the names of an installation stand in them.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.aws import ACCOUNT, CLUSTER, bucket
from cluster.topology import REGIONS

MODULES = ("key_policies", "iam", "lifecycle", "edge")


def rendered(account: str = ACCOUNT, bucket_prefix: str = "", cluster: str = CLUSTER) -> Iterator[tuple[str, str]]:
    """(file, text) of every document, the file as `eu/kms/signing.policy.json`."""
    for region in REGIONS:
        for name, document in _documents(region):
            text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
            own = (f"arn:aws:s3:::{bucket(region)}", f"arn:aws:s3:::{bucket_prefix}{bucket(region)}")
            text = text.replace(f":{ACCOUNT}:cluster/{CLUSTER}", f":{ACCOUNT}:cluster/{cluster}")
            yield f"{region}/{name}", text.replace(ACCOUNT, account).replace(*own)


def write(folder: Path, account: str = ACCOUNT, bucket_prefix: str = "", cluster: str = CLUSTER) -> None:
    """Have the folder hold these documents and no others."""
    wanted = dict(rendered(account, bucket_prefix, cluster))
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in [path for region in REGIONS for path in (folder / region).rglob("*.json")]:
        if str(path.relative_to(folder)) not in wanted:
            path.unlink()


def _documents(region: str) -> Iterator[tuple[str, Any]]:
    for name in MODULES:
        if importlib.util.find_spec(f"cluster.aws.{name}") is not None:
            module = importlib.import_module(f"cluster.aws.{name}")
            yield from module.documents(region).items()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m cluster.aws", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--account", default=ACCOUNT)
    parser.add_argument("--bucket-prefix", default="")
    parser.add_argument("--cluster", default=CLUSTER)
    given = parser.parse_args()
    write(given.folder, given.account, given.bucket_prefix, given.cluster)
