"""All settings, read once into a frozen value; no other module reads the environment.

Order: `CONTENT_…` variables, then the JSON file named by `CONTENT_SETTINGS` (the local stack writes it, 0600), then the
defaults here. `content-service settings` prints them with secrets masked.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, JsonConfigSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

MIB = 1 << 20


class Settings(BaseSettings):
    """Addresses, credentials and every limit of the service. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="CONTENT_", frozen=True, extra="ignore")

    profile: Literal["production", "development"] = Field(
        "development",
        description="production refuses what only a local stack may do; the pools have other sizes in each",
    )
    region: str = Field("eu", description="the region this service runs in; a tenant of another one is answered 421")
    region_urls: dict[str, str] = Field({}, description="address of the API in each region, for answers with 421")
    workspace: Path = Field(
        Path("/var/tmp/content"), description="per-job scratch folders are made and removed below it"
    )
    failpoints: Path | None = Field(None, description="tests only: folder of armed failpoints")

    # Postgres: one login per role (platform.md); a process is given only the ones it needs.
    postgres_owner: SecretStr = Field(SecretStr(""), description="URL of the login that migrates; nothing else uses it")
    postgres_api: SecretStr = Field(
        SecretStr(""), description="URL of the login of the API: one tenant per transaction"
    )
    postgres_worker: SecretStr = Field(
        SecretStr(""),
        description="URL of the login of all worker pools, restore and reconcile: one tenant per transaction",
    )
    postgres_relay: SecretStr = Field(
        SecretStr(""), description="URL of the login that carries the outbox and archives the event log"
    )
    postgres_analyst: SecretStr = Field(
        SecretStr(""), description="URL of the login that notebooks read with; the service itself does not use it"
    )
    postgres_ops: SecretStr = Field(
        SecretStr(""), description="URL of the login that counts: garbage collection, depths, metrics"
    )

    nats_url: str = Field("nats://127.0.0.1:4222", description="NATS server, or several, parted by commas")
    nats_user: str = Field("", description="NATS user; may consume the neighbours' events and publish ours")
    nats_password: SecretStr = Field(SecretStr(""), description="its password")
    nats_monitor_url: str = Field("", description="its HTTP monitor; only `doctor` asks there")
    nats_dead_letters_user: str = Field("", description="operators' commands alone: reads and removes dead letters")
    nats_dead_letters_password: SecretStr = Field(SecretStr(""), description="its password")

    nats_erasure_user: str = Field("", description="erasures alone: finds and removes messages that name a learner")
    nats_erasure_password: SecretStr = Field(SecretStr(""), description="its password")
    nats_operator_user: str = Field("", description="makes streams and the consumers of other regions; no pool has it")
    nats_operator_password: SecretStr = Field(SecretStr(""), description="its password")
    nats_replicas: int = Field(3, ge=1, le=5, description="of each stream that `python -m cluster.streams` makes")

    mesh_folder: Path | None = Field(
        None,
        description="folder of tls.crt, tls.key and ca.crt: with it, NATS, importer and neighbours are spoken to by mTLS",
    )
    mesh_peers: dict[str, str] = Field(
        {}, description="SPIFFE names of nats, importer, authoring, media, catalog, ai-gateway and sync"
    )
    mesh_door_sha256: str = Field(
        "",
        description="SHA-256 of what the mesh's door shows with each request that it lets in; without it a request is refused",
    )

    s3_endpoint: str | None = Field(None, description="object store; empty for AWS")
    s3_region: str = Field("us-east-1", description="region of the bucket")
    s3_bucket: str = Field("content", description="bucket for media, manifests and bundles")
    s3_access_key: SecretStr = Field(
        SecretStr(""), description="key id for the bucket; empty for the role of the machine"
    )
    s3_secret_key: SecretStr = Field(SecretStr(""), description="its secret")

    key_service: Literal["openbao", "kms"] = Field("openbao", description="who keeps the keys (docs/keys.md)")
    openbao_url: str = Field("http://127.0.0.1:8200", description="key service")
    openbao_token: SecretStr = Field(SecretStr(""), description="token for it, which may sign, wrap and unwrap")

    kms_account: str = Field(
        "", description="account of AWS; new keys get a policy that names its roles. Empty: AWS' default policy"
    )
    kms_region: str = Field("", description="region of AWS that is asked first; empty: the pair's primary of `region`")
    kms_replica_region: str = Field("", description="the one with the copies; empty: the pair's replica")
    kms_endpoint: str | None = Field(None, description="KMS in the first region, a VPC endpoint, say; empty for AWS'")
    kms_replica_endpoint: str | None = Field(None, description="KMS in the other region")
    kms_access_key: SecretStr = Field(SecretStr(""), description="key id for KMS; empty for the role of the machine")
    kms_secret_key: SecretStr = Field(SecretStr(""), description="its secret")
    kms_sign_quota: int = Field(300, ge=1, description="signatures per second that the account may ask for in a region")
    kms_symmetric_quota: int = Field(10_000, ge=1, description="batch keys it may have made or opened per second there")
    kms_timeout_s: float = Field(3.0, gt=0, description="longest silence of KMS in a region")
    kms_wait_s: float = Field(10.0, gt=0, description="one call with its turn and all its tries in a region")
    kms_rest_s: float = Field(30.0, ge=0, description="a region that did not answer is asked last for so long")
    kms_batch_key_uses: int = Field(
        1000, ge=1, le=1_000_000, description="content keys that one batch key wraps, at most"
    )
    kms_batch_key_ttl_s: float = Field(
        300.0, ge=0, description="for so long a process wraps with a batch key, and keeps one that it opened"
    )

    authoring_url: str = Field("", description="authoring-service: drafts")
    media_url: str = Field("", description="media-service: originals")
    catalog_url: str = Field("", description="catalog-service: listings")
    ai_gateway_url: str = Field("", description="ai-gateway: settings of assistants; may be away")
    sync_url: str = Field("", description="sync-service: what devices hold; may be away, and is not asked if empty")
    holdings_deadline_s: float = Field(2.0, description="how long a batch of bundles waits for what its devices hold")
    neighbour_timeout_s: float = Field(10.0, description="longest silence of a neighbour")
    neighbour_deadline_s: float = Field(
        60.0, description="one question with all its tries, however slowly it is answered"
    )
    original_deadline_s: float = Field(3600.0, description="the download of one original with all its tries")
    neighbour_breaker_failures: int = Field(8, description="failures in a row after which a neighbour is left alone")
    neighbour_breaker_rest_s: float = Field(5.0, description="for so long; then one call tries it")
    neighbour_max_json_bytes: int = Field(8 * MIB, description="largest answer of a neighbour, originals aside")
    original_max_bytes: int = Field(4096 * MIB, description="largest original that is fetched")

    edge_url: str = Field("", description="address that devices download from")
    edge_key_id: str = Field("", description="id of the key that signs its URLs")
    edge_private_key: SecretStr = Field(SecretStr(""), description="PEM, EC P-256 or RSA-2048: signs CDN URLs")
    edge_next_key_id: str = Field(
        "", description="id of the key that will sign; the edge knows it already (docs/edge.md)"
    )
    edge_next_private_key: SecretStr = Field(SecretStr(""), description="its PEM")
    edge_retired_keys: dict[str, str] = Field(
        {}, description="ids of keys that no longer sign, with the time since when; the edge still knows them"
    )
    edge_rollout_s: int = Field(
        3600, ge=0, description="after so long every replica has settings that were changed; a rotation waits for it"
    )
    edge_cdn: Literal["none", "cloudfront", "cloudflare"] = Field(
        "none",
        description="what is told of withdrawn versions and knows the keys; none: the local edge, which hears by itself",
    )
    cloudfront_distribution_ids: dict[str, str] = Field(
        {}, description="CloudFront: ids of the distributions, by `files` and `sites`"
    )
    cloudfront_key_group_id: str = Field("", description="CloudFront: key group of the keys that sign")
    cloudfront_sites_store: str = Field(
        "", description="CloudFront: ARN of the key value store with what tenants say about their sites"
    )
    cloudflare_zone_id: str = Field("", description="Cloudflare: zone that is purged")
    cloudflare_account_id: str = Field("", description="Cloudflare: account of the Worker")
    cloudflare_keys_namespace: str = Field(
        "", description="Cloudflare: namespace of Workers KV with the keys that sign"
    )
    cloudflare_token: SecretStr = Field(SecretStr(""), description="Cloudflare: token for purging and for its keys")
    cloudflare_api_url: str = Field(
        "https://api.cloudflare.com/client/v4", description="Cloudflare: address of its API"
    )
    edge_ttl_s: int = Field(3600, description="how long a signed address works")
    site_url: str = Field(
        "",
        description="origin of a tenant's published exports and previews, with `{tenant}` in it; empty: there are none",
    )
    preview_ttl_s: int = Field(
        3600, ge=1, description="how long the link of a preview works since it was asked for last"
    )
    exports_waiting_max: int = Field(
        200, ge=1, description="exports of a tenant that may wait to be made, and as many previews; more are refused"
    )

    # Imports of packages: uploads, and the service that reads them (docs/adr/0033-imports.md)
    s3_public_endpoint: str | None = Field(
        None, description="object store as uploaders reach it; empty: at the same address as this service"
    )
    import_piece_bytes: int = Field(
        16 * MIB, ge=5 * MIB, description="pieces of an upload, where nobody asks for others"
    )
    import_url_ttl_s: int = Field(3600, ge=1, description="how long the address for a piece works")
    import_keep_s: float = Field(
        30 * 24 * 3600.0, ge=0, description="an upload that was not accepted is removed so long after it began"
    )
    imports_waiting_max: int = Field(
        200, ge=1, description="uploads and imports of a tenant that may be under way; more are refused"
    )
    imports_at_once: int = Field(16, ge=1, description="imports that one builder follows; most of them wait")
    import_tries: int = Field(
        3, ge=1, description="so often a package may break the importer or its sandbox before it is refused"
    )
    import_large_bytes: int = Field(
        64 * MIB, ge=1, description="a zip of that size takes the place for large ones, so small ones go on beside it"
    )
    importer_url: str = Field("", description="address of the importer; empty: nothing is imported here")
    importer_token: SecretStr = Field(SecretStr(""), description="shown to the importer with each request")
    importer_token_sha256: str = Field(
        "", description="all that the importer's own deployment knows of it: SHA-256, hexadecimal"
    )
    importer_origins: tuple[str, ...] = Field(
        (), description="origins of the object store, which alone the importer talks to; empty: s3_endpoint"
    )
    importer_url_ttl_s: int = Field(
        4 * 3600,
        ge=1,
        description="how long the importer may wait for a place and work with the addresses it was given",
    )
    importer_silence_s: float = Field(30.0, gt=0, description="longest time without a word of the importer at work")

    learner_origin: str = Field(
        "",
        description="origin of the local stack's learner page, which may ask the API; in production tenants list theirs",
    )

    api_url: str = Field("", description="address of the API as its callers see it; proofs of devices name it")
    api_listen_url: str = Field("", description="where a local stack's API listens, if a door stands before it")
    api_max_body_bytes: int = Field(64 * 1024, description="largest body of a request, drafts aside")
    draft_max_bytes: int = Field(8 * MIB, description="largest draft that may be sent to be validated")
    manifest_cache_bytes: int = Field(64 * MIB, description="manifests that an API replica keeps in memory")
    manifest_cache_ttl_s: float = Field(60.0, description="how long it keeps one, unless it hears that it changed")
    idempotency_ttl_s: int = Field(86_400, description="how long an answer is kept under its Idempotency-Key")
    tenant_requests_per_minute: int = Field(6000, ge=1, description="where the tenant's limits say nothing else")
    address_requests_per_minute: int = Field(
        1200, ge=1, description="requests without a valid token, per client address and replica"
    )
    trusted_proxies: int = Field(
        0, ge=0, description="proxies in front that add to X-Forwarded-For; the address is taken from the last so many"
    )
    sse_max_s: float = Field(25.0, description="a stream of job events ends after so long; the client comes again")
    sse_max_streams: int = Field(100, description="open streams per API replica; each takes one of its 200 requests")
    sse_max_streams_per_tenant: int = Field(20, description="open streams per API replica and tenant")
    jwt_issuer: str = Field("https://identity.local", description="issuer that a token must name")
    jwt_audience: str = Field("content-service", description="audience that a token must name")
    jwt_jwks_file: Path | None = Field(None, description="public keys of the identity provider")
    jwt_max_age_s: int = Field(24 * 3600, description="longest life of a token that is accepted")

    ray_address: str = Field("", description="Ray cluster to deploy to; empty: the one of this machine")
    ray_dashboard_url: str = Field("", description="where `pools` and `doctor` ask for replicas")

    # Which release this process is of (docs/release.md)
    release: str = Field("", description="name of the release, the tag or digest of its image; told by `/version`")
    release_track: Literal["", "stable", "canary"] = Field(
        "", description="which of two releases of the API side by side; empty where there is one"
    )

    # What operators see (docs/telemetry.md)
    metrics_port: int = Field(
        0, ge=0, le=65535, description="processes outside Ray: the port on which they tell their numbers; 0: not at all"
    )
    log_format: Literal["json", "console"] = Field("json", description="json for machines, console for eyes")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe line that is written"
    )
    log_folder: Path | None = Field(None, description="a file per service there; without it, standard output")
    trace_exporter: Literal["none", "otlp", "file"] = Field("none", description="where spans go")
    trace_endpoint: str = Field("http://127.0.0.1:4318/v1/traces", description="exporter otlp: where to send spans")
    trace_folder: Path | None = Field(None, description="exporter file: JSON lines are written there")
    trace_sample_ratio: float = Field(1.0, ge=0, le=1, description="share of traces that are recorded, by their id")
    serve_mode: Literal["proxy", "haproxy", "throughput"] = Field(
        "proxy",
        description="how requests reach API replicas: Serve's own proxy, HAProxy, or HAProxy and one loop per replica",
    )

    # Work
    lease_s: float = Field(60.0, description="a job whose worker sent no heartbeat for so long is taken over")
    drain_s: float = Field(30.0, description="how long a replica that leaves may finish what it holds")
    pool_bounds: dict[str, tuple[int, int]] = Field(
        {}, description="least and most replicas of a pool by its name, where they are not those of the table"
    )
    calm_s: float | None = Field(
        None,
        ge=0,
        description="a pool shrinks when fewer were enough for so long; empty: 300 in production, 30 in development",
    )
    job_max_attempts: int = Field(
        5, description="tries of a job whose error nobody had thought of; what is away is waited for"
    )
    bundle_batch: int = Field(64, description="bundles per signature and per read of the assets")
    bundle_policy: Literal["device", "shared"] = Field(
        "device", description="whose content key it is, where neither package nor tenant nor catalog says"
    )
    bundle_batch_bytes: int = Field(1024 * MIB, description="bytes that one batch of bundles may hold")
    bulk_from: int = Field(200, description="a version that so many devices get is bundled in the lane bulk")
    bulk_patience_s: float = Field(600.0, description="a bulk bundle that waited so long counts as interactive")
    relay_window: int = Field(256, description="events in flight to NATS")

    # Webhooks
    webhooks_per_tenant: int = Field(10, description="webhooks that a tenant may have")
    webhook_timeout_s: float = Field(15.0, description="longest time that one attempt may take")
    webhook_retry_s: tuple[float, ...] = Field(
        (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400),
        description="waits after each failed attempt; after the last one the delivery has failed",
    )
    webhook_disable_after_s: float = Field(5 * 24 * 3600.0, description="a webhook that failed for so long is disabled")
    webhook_rotation_s: float = Field(24 * 3600.0, description="how long a replaced secret signs beside the new one")
    webhook_keep_s: float = Field(30 * 24 * 3600.0, description="how long an ended delivery is kept in the log")
    webhook_allow_private: bool = Field(
        False, description="development only: webhooks may be at addresses that are not public"
    )

    event_log_every_s: float = Field(
        5.0, gt=0, le=60, description="how often changes of rows are archived (docs/event-log.md)"
    )
    event_log_patience_s: float = Field(
        5.0, gt=0, description="what must be archived before it is acknowledged waits so long for the object store"
    )
    gc_grace_s: float = Field(24 * 3600.0, description="blobs younger than this are left alone")

    # How long what is kept, and where (docs/storage.md)
    cold_storage: Literal["off", "prefix", "glacier"] = Field(
        "off",
        description="what becomes of blobs that nobody uses: they stay; move below `cold/`; change their storage class",
    )
    cold_storage_class: Literal["GLACIER", "DEEP_ARCHIVE"] = Field("GLACIER", description="to which class, then")
    hot_days: float = Field(90.0, ge=0, description="blobs stay hot for so long after they were used last")
    cold_min_bytes: int = Field(
        128 * 1024, ge=0, description="smaller ones stay hot: cold storage counts 40 KiB more for each"
    )
    cold_tier: Literal["Bulk", "Standard", "Expedited"] = Field(
        "Standard", description="how fast blobs are restored, where nobody asks otherwise"
    )
    cold_copy_days: int = Field(2, ge=1, description="for so long a restored copy may be taken back among the hot ones")
    cold_poll_s: float = Field(60.0, gt=0, description="between two looks whether what was asked for is restored")
    cold_delay_s: float = Field(
        0.0, ge=0, description="cold_storage prefix: a restore takes so long, as elsewhere hours"
    )
    uses_flush_s: float = Field(30.0, gt=0, description="each process writes down so often what was used")
    retention_period_s: float = Field(
        24 * 3600.0, gt=0, description="between two rounds of retention, garbage collection and the audit archive"
    )
    s3_archive_bucket: str = Field(
        "", description="bucket with Object Lock for copies of the audit log; empty: below `archive/` of the same one"
    )
    archive_lock_days: int = Field(
        2555, ge=0, description="nobody can delete a copy there before so many days; 0: the bucket decides"
    )
    erasure_memory_days: float = Field(
        400.0, ge=0, description="so long it is known that a learner was erased, so that late events bring nobody back"
    )

    # Licences and lists
    licence_ttl_s: int = Field(365 * 24 * 3600, description="how long a licence opens its bundle")
    offline_grace_s: int = Field(30 * 24 * 3600, description="how long a device may go on with lists that have expired")
    list_ttl_s: int = Field(30 * 24 * 3600, description="how long a revocation list is fresh")
    trust_ttl_s: int = Field(400 * 24 * 3600, description="how long a trust list is fresh")
    licence_batch: int = Field(1000, ge=1, description="licences that are issued again with one signature")
    key_period_s: int = Field(365 * 24 * 3600, description="how long a signing key signs before the next one does")
    key_lead_s: int = Field(30 * 24 * 3600, description="the next one is published so long before it signs")
    key_valid_s: int = Field(730 * 24 * 3600, description="no key signs for longer than that, whatever happens")
    drill_period_s: int = Field(
        91 * 24 * 3600,
        description="the night of the stolen key is tried so often, on a tenant that is marked for drills",
    )
    trust_roots: int = Field(1, ge=1, le=8, description="root keys of a tenant, from its next root rotation on")
    trust_threshold: int = Field(1, ge=1, le=8, description="how many of them must sign a trust list, from then on")
    tamper_reports_per_hour: int = Field(30, ge=1, description="reports of changed bytes that one device may send")
    scrub_days: float = Field(30.0, gt=0, description="every stored part is read and compared once in so many days")
    nonce_ttl_s: int = Field(300, description="how long a challenge for a registration may be answered")
    dpop_skew_s: int = Field(60, description="difference of clocks that a device's proof may show")

    # Rendering one asset
    ffmpeg_timeout_s: float = Field(3600.0, description="wall-clock limit of one rendition")
    ffmpeg_memory_bytes: int = Field(4096 * MIB, description="its limit of memory")
    render_max_output_bytes: int = Field(4096 * MIB, description="largest rendition")
    image_max_pixels: int = Field(200_000_000, description="of one picture, over all its frames")
    image_max_frames: int = Field(2000, description="of one animated picture")
    svg_max_bytes: int = Field(2 * MIB, description="of one SVG picture")
    svg_max_elements: int = Field(20_000, description="of one SVG picture; ten times as many where it repeats itself")
    video_max_pixels: int = Field(36_000_000, description="of one frame of a film; 8K is 33 million")
    video_max_duration_s: float = Field(4 * 3600.0, description="of one film")
    audio_max_duration_s: float = Field(8 * 3600.0, description="of one sound")
    decode_timeout_s: float = Field(300.0, description="looking at an original, or decoding one picture")
    decode_memory_bytes: int = Field(4096 * MIB, description="address space of whatever decodes, ffmpeg aside")

    # Reading one package (docs/import-report.md, docs/sandbox.md); names as in content.scorm.limits
    import_timeout_s: float = Field(900.0, gt=0, description="wall-clock limit of reading one package")
    import_memory_bytes: int = Field(1536 * MIB, gt=0, description="address space of what reads it")
    import_zip_bytes: int = Field(5120 * MIB, gt=0, description="largest package that is read")
    import_unpacked_bytes: int = Field(10240 * MIB, gt=0, description="all its files together, unpacked")
    import_file_bytes: int = Field(4096 * MIB, gt=0, description="one of its files, unpacked")
    import_ratio: float = Field(
        200.0, gt=1, description="unpacked against packed, of the package and of each larger file"
    )
    import_ratio_from_bytes: int = Field(
        32 * MIB, ge=0, description="a file that unpacks to less is not judged alone, however tightly it is packed"
    )
    import_ratio_package_from_bytes: int = Field(
        8 * MIB, ge=0, description="a package that unpacks to less may be packed as tightly as it is"
    )
    import_entries: int = Field(50_000, gt=0, description="files and folders in a package")
    import_name_bytes: int = Field(512, gt=0, description="of the path of one file in it")
    import_name_depth: int = Field(32, gt=0, description="folders in such a path")
    import_manifest_bytes: int = Field(
        8 * MIB, gt=0, description="of its manifest, and of each document that belongs to it"
    )
    import_xml_depth: int = Field(100, gt=0, le=100, description="elements within each other in such a document")
    import_xml_elements: int = Field(200_000, gt=0, description="elements of such a document")
    import_findings: int = Field(50, gt=0, description="findings of one kind that are told one by one")

    # Sizes beyond which a quality report says something (docs/quality.md)
    quality_phone_bytes: int = Field(200 * MIB, gt=0, description="all that a phone fetches of a course")
    quality_tablet_bytes: int = Field(500 * MIB, gt=0, description="all that a tablet does")
    quality_desktop_bytes: int = Field(2048 * MIB, gt=0, description="all that a desktop does")
    quality_picture_bytes: int = Field(MIB // 2, gt=0, description="one picture on a phone")
    quality_film_bytes: int = Field(100 * MIB, gt=0, description="one film or sound on a phone")

    # The sandbox in which all of that runs (docs/sandbox.md)
    sandbox: Literal["auto", "bubblewrap", "runsc", "none"] = Field(
        "auto", description="the backend; none is for a local stack alone"
    )
    sandbox_ahead: int = Field(
        1, description="sandboxes of a kind that wait, started, in each process that reads what authors send"
    )
    workspace_max_bytes: int = Field(
        16384 * MIB, description="originals and results of one job on one node's disk, together"
    )

    @model_validator(mode="after")
    def _only_locally(self) -> Self:
        if self.profile == "production" and self.sandbox == "none":
            raise ValueError("sandbox=none is for a local stack alone: in production, media are decoded in a sandbox")
        if self.profile == "production" and self.learner_origin:
            raise ValueError(
                "learner_origin is for a local stack alone: in production, tenants list their cors_origins"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = os.environ.get("CONTENT_SETTINGS")
        if not path:
            return init_settings, env_settings
        return init_settings, env_settings, JsonConfigSettingsSource(settings_cls, json_file=path)

    @property
    def other_regions(self) -> list[str]:
        """Those of `region_urls` without this one."""
        return sorted(set(self.region_urls) - {self.region})

    @classmethod
    def load(cls) -> Settings:
        """The settings of this process, read the first time only."""
        return _load()


@functools.cache
def _load() -> Settings:
    return Settings()  # pyright: ignore[reportCallIssue]  # every field has a default or comes from the file
