"""The demo's story, in the order of the way of the data. Every step ends with a check of its own (`checks.py`)."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from cluster.local import publishing
from cluster.local.identity import DEMO_LEARNER, mint_token
from cluster.local.stack import PARTS, Stack, StackInfo
from content.canonical import derive_id
from content.errors import ContentError
from serve_app.client import BundleRow, Client, Version
from serve_app.demo import checks, refusals, rotating, waiting
from serve_app.demo.course import RunCourse, make_run_course
from serve_app.demo.cut import CutOnce
from serve_app.demo.report import Result
from serve_app.demo.steps import Recorder, Step, require
from serve_app.device import register as registration
from serve_app.device import sync as syncing
from serve_app.device.bars import BarWatch, bytes_progress
from serve_app.device.download import Silent, Watch, edge_client
from serve_app.device.folder import DeviceFolder
from serve_app.device.reading import open_offline, verify
from serve_app.device.unpack import unpack
from tasks.bootstrap import FIRST_TENANT, prepare

PROFILES = ("phone", "tablet")


def run(home: Path, console: Console, result: Result) -> None:
    """Run the demo on the stack in `home`, starting it if need be. `result` is filled as it goes.

    Raises what the failed step raised.
    """
    recorder = Recorder(console, result.steps)
    with recorder.step("local stack") as step:
        info = Stack(home).up(lambda line: console.print(f"  {line}", style="dim", highlight=False), before_ray=prepare)
        missing = len(PARTS) - len(info.kept)
        step.notes = f"started {missing} parts" if missing else "was up"
    result.addresses = {**info.addresses, "api_docs": f"{info.settings.api_url}/docs"}
    token = mint_token(home, FIRST_TENANT, ["content:read"], "demo")
    with Client(info.settings.api_url, token=token) as api:
        _Story(home, info, api, recorder, console, result).tell()


class _Story:
    """One run, with ids of its own."""

    def __init__(
        self, home: Path, info: StackInfo, api: Client, recorder: Recorder, console: Console, result: Result
    ) -> None:
        self._home, self._settings, self._api = home, info.settings, api
        self._recorder, self._console, self._result = recorder, console, result
        self._run = secrets.token_hex(3)
        self._learner, self._enrolment = f"learner-{self._run}", f"enrolment-{self._run}"
        self._folder = info.home / "demo" / self._run
        self._devices: dict[str, DeviceFolder] = {}

    def tell(self) -> None:
        course = self._publish()
        self._check_signature()
        self._register()
        self._enrol(course)
        self._download()
        self._open()
        self._republish(course)
        self._update()
        self._refuse()
        self._rotate()
        self._take_back()
        self._invite(course)

    def _publish(self) -> RunCourse:
        with self._recorder.step("publish and build") as step, waiting.bars(self._console) as progress:
            self._folder.mkdir(parents=True)
            course = make_run_course(self._folder / "originals", self._run)
            self._package = self._result.package_id = derive_id("pkg", FIRST_TENANT, course.course_id)
            self._send(course, 1)
            version = self._built(1, progress, step)
            report = version["report"]
            step.notes = f"{report['made']} renditions made, {report['reused']} reused"
        return course

    def _send(self, course: RunCourse, revision: int) -> None:
        publishing.publish_draft(
            self._home,
            FIRST_TENANT,
            course.draft if revision == 1 else course.changed_draft,
            course.media if revision == 1 else course.changed_media,
            course_id=course.course_id,
            draft_id=course.draft_id,
            revision=revision,
        )

    def _built(self, number: int, progress: Progress, step: Step) -> Version:
        version = waiting.published(self._api, self._package, number, progress)
        require(version["state"] == "published", "demo-build", f"Version {number} is {version['state']}.")
        step.bytes = version["total_bytes"] or 0
        return version

    def _check_signature(self) -> None:
        with self._recorder.step("manifest's signature") as step:
            self._manifest = checks.signed_manifest(self._api, FIRST_TENANT, self._package, 1, _now())
            step.bytes = len(self._api.manifest(self._package, 1))
            step.notes = "tree head, proof, trust list"

    def _register(self) -> None:
        with self._recorder.step("register phone and tablet") as step:
            token = mint_token(self._home, FIRST_TENANT, ["device:register"], self._learner)
            for profile in PROFILES:
                device = DeviceFolder.create(self._folder / profile, FIRST_TENANT)
                with Client(self._settings.api_url, token=token) as api:
                    row = registration.register(device, api, profile=profile, clock=_now)
                require(row["device_id"] == device.identity.id, "demo-device", "Registered under another id.")
                self._devices[profile] = device
            step.notes = "keys, challenge, trust lists"

    @property
    def _ids(self) -> list[str]:
        return [device.identity.id for device in self._devices.values()]

    def _enrol(self, course: RunCourse) -> None:
        with self._recorder.step("enrol, two bundles") as step, waiting.bars(self._console) as progress:
            publishing.enrol(
                self._home,
                FIRST_TENANT,
                enrollment_id=self._enrolment,
                learner_id=self._learner,
                course_id=course.course_id,
            )
            rows = self._bundles(1, progress, step)
            sizes = [rows[device]["total_bytes"] or 0 for device in self._ids]
            require(sizes[0] < sizes[1], "demo-profiles", "The phone's bundle is not smaller than the tablet's.")
            step.notes = f"phone {sizes[0]:,}, tablet {sizes[1]:,} bytes"
        with self._recorder.step("sync-service heard") as step:
            self._heard(rows)
            step.notes = "of both, one event each"

    def _bundles(self, version: int, progress: Progress, step: Step) -> dict[str, BundleRow]:
        rows = waiting.bundles_ready(self._api, self._package, version, self._ids, progress)
        self._result.bundle_ids += [rows[device]["bundle_id"] for device in self._ids]
        step.bytes = sum(row["total_bytes"] or 0 for row in rows.values())
        return rows

    def _heard(self, rows: dict[str, BundleRow]) -> None:
        wanted = {row["bundle_id"]: row for row in rows.values()}
        heard = waiting.heard(self._settings, self._ids, set(wanted))
        for bundle_id, data in heard.items():
            require(data["device_id"] == wanted[bundle_id]["device_id"], "demo-event", "An event names another device.")

    def _download(self) -> None:
        with self._recorder.step("download both") as step:
            cut = CutOnce(self._home / "edge-cut")
            try:
                step.bytes = self._sync("phone", 1, cut) + self._sync("tablet", 1)
            finally:
                cut.disarm()
            require(cut.path is not None, "demo-cut", "No download was broken off.")
            path = f"/bundles/{FIRST_TENANT}/{cut.path}"
            answers: list[int | None] = []

            def complete() -> bool:
                answers[:] = [checks.sent_once(self._home / "logs" / "edge-access.jsonl", path, cut.size)]
                return answers[0] is not None

            waiting.wait_for("the edge's log does not show every byte sent once", complete)
            require((answers[0] or 0) > 1, "demo-cut", "The download was not broken off.")
            step.notes = f"broken off at {cut.after:,}, no byte twice"

    def _sync(self, profile: str, version: int, watch: Watch | None = None) -> int:
        """Sync one device as `content-service device sync` does; returns the bytes that came over the network."""
        device = self._devices[profile]
        with (
            device.locked(),
            Client(self._settings.api_url, device=device.identity) as api,
            edge_client() as edge,
            bytes_progress(self._console) as progress,
        ):
            shown = BarWatch(progress, self._console)
            if isinstance(watch, CutOnce):
                watch.shown = shown
            report = syncing.sync(device, api, edge, clock=_now, watch=watch or shown)
        if report.refused:
            raise report.refused[0].error
        (taken,) = report.taken
        require(taken.new and taken.version == version, "demo-sync", f"The {profile} got version {taken.version}.")
        # The first version is fetched whole; of a later one, what has changed.
        told = f"The {profile} fetched {taken.fetched} of {taken.size} bytes."
        require(taken.fetched == taken.size if version == 1 else taken.fetched < taken.size / 2, "demo-sync", told)
        return taken.fetched

    def _open(self) -> None:
        with self._recorder.step("open both offline") as step:
            for profile in PROFILES:
                step.bytes += self._unpack(profile, profile, self._manifest)
            self._result.opened = self._folder / "opened" / PROFILES[-1]
            step.notes = f"languages {', '.join(each['tag'] for each in self._manifest['metadata']['languages'])}"

    def _unpack(self, profile: str, name: str, manifest: dict[str, object]) -> int:
        device, out = self._devices[profile], self._folder / "opened" / name
        with device.locked(), open_offline(device, device.shelf.find(self._package), _now()) as bundle:
            verify(bundle)
            unpack(bundle, out)
        return checks.opened_course(out, manifest, bundle.licence.manifest)

    def _republish(self, course: RunCourse) -> None:
        with self._recorder.step("change a picture, republish") as step, waiting.bars(self._console) as progress:
            self._send(course, 2)
            report = self._built(2, progress, step)["report"]
            after = checks.signed_manifest(self._api, FIRST_TENANT, self._package, 2, _now())
            before = {**self._manifest, "assets": dict(self._manifest["assets"])}
            changed, others = checks.only_changed(before, after, course.changed_asset)
            assert isinstance(report, dict)
            counts = report["made"], report["reused"]
            require(counts == (changed, others), "demo-reuse", f"Made {counts[0]}, reused {counts[1]}.")
            self._manifest = after
            step.notes = f"{changed} renditions made, {others} reused"

    def _update(self) -> None:
        with self._recorder.step("both devices update") as step:
            with waiting.bars(self._console) as progress:
                rows = self._bundles(2, progress, step)
            self._heard(rows)
            step.bytes = sum(self._sync(profile, 2) for profile in PROFILES)
            self._unpack("phone", "phone-version-2", self._manifest)
            held = [each.licence.version for device in self._devices.values() for each in device.shelf.all()]
            require(held == [2, 2], "demo-update", f"The devices hold the versions {held}.")
            step.notes = "version 2 verified, 1 removed"

    def _rotate(self) -> None:
        """The signing key is revoked; the phone hears of it by a stick, goes on, and fetches its new licence later."""
        phone, tablet = (self._devices[profile] for profile in PROFILES)
        with self._recorder.step("emergency: key revoked") as step:
            found = rotating.emergency(self._home, FIRST_TENANT, self._settings.api_url)
            step.notes = f"{found['licences']} licences signed again in {found['seconds']} s"
        with self._recorder.step("a stick with lists") as step:
            stick = self._folder / "lists.cbundle"
            self._sync_again("tablet")
            step.bytes = rotating.carry_lists(tablet, phone, stick, _now())
            self._unpack("phone", "phone-after-emergency", self._manifest)
            step.notes = "the course on the phone goes on"
        with self._recorder.step("the phone's new licence") as step:
            step.bytes = self._sync_again("phone")
            issue = phone.shelf.find(self._package).licence.issue
            require(issue == 2 and step.bytes == 0, "demo-licence", f"Issue {issue}, {step.bytes} bytes fetched.")
            step.notes = "issue 2, no payload"

    def _sync_again(self, profile: str) -> int:
        """Sync a device that has the newest version; returns the bytes of payload that came."""
        device = self._devices[profile]
        with device.locked(), Client(self._settings.api_url, device=device.identity) as api, edge_client() as edge:
            report = syncing.sync(device, api, edge, clock=_now, watch=Silent())
        if report.refused:
            raise report.refused[0].error
        return sum(taken.fetched for taken in report.taken)

    def _take_back(self) -> None:
        """The phone is stolen: revoked by the operator, told by a stick to a phone that never goes online."""
        phone, tablet = (self._devices[profile] for profile in PROFILES)
        with self._recorder.step("revoked by a stick") as step:
            listed = rotating.revoke_bundle(self._home, FIRST_TENANT, self._settings.api_url, phone, self._package)
            self._sync_again("tablet")
            step.bytes = rotating.carry_lists(tablet, phone, self._folder / "revoked.cbundle", _now())
            error = refusals.refused("bundle-revoked", lambda: refusals.read_all(phone, self._package, _now()))
            step.notes = f"list {listed}, {_reason(error)}"

    def _invite(self, course: RunCourse) -> None:
        """Whoever opens the learner's page gets the course too; its device is not known yet."""
        with self._recorder.step("enrol the page's learner") as step:
            publishing.enrol(
                self._home,
                FIRST_TENANT,
                enrollment_id=f"page-{self._run}",
                learner_id=DEMO_LEARNER,
                course_id=course.course_id,
            )
            step.notes = "open the learner's page, set up the device, sync"

    def _refuse(self) -> None:
        phone, tablet = (self._devices[profile] for profile in PROFILES)
        with self._recorder.step("tampered bundle") as step:
            step.notes = _reason(refusals.tampered(phone, self._folder / "phone-tampered", _now()))
        with self._recorder.step("another device's bundle") as step:
            step.notes = _reason(refusals.anothers(phone, tablet, self._folder / "phone-foreign", _now()))
        with self._recorder.step("expired URL") as step:
            step.notes = _reason(refusals.expired_url(phone, self._settings, _now()))


def _reason(error: ContentError) -> str:
    return f"refused: {error.code}"


def _now() -> datetime:
    return datetime.now(UTC)
