"""What AWS is told of this service, as documents: who may do what (iam, key_policies), and more beside.

Each module has `documents(region) -> {relative file name: JSON document}`; `python -m cluster.aws kuberay/aws` writes them
all below a folder per region. Nothing here talks to AWS, and nothing but `cluster.keys` (which hands a new key its policy)
needs it at run time.
"""

from __future__ import annotations

from cluster.topology import REPLICAS

ACCOUNT = "111122223333"
"""Stands for the account in the committed documents (AWS' own example); `--account` puts the real one in its place."""
CLUSTER = "content"
"""Name of the EKS cluster in the documents, in each region; `--cluster` puts another in its place."""


def bucket(region: str) -> str:
    """The bucket of a region in the documents. Names are unique over all of AWS: `--bucket-prefix` puts another in front."""
    return f"content-{region}"


def cluster_arn(region: str, account: str = ACCOUNT) -> str:
    """The EKS cluster of a region: who may take its roles is said with it."""
    return f"arn:aws:eks:{REPLICAS[region].primary}:{account}:cluster/{CLUSTER}"
