"""The programs at an edge decide as the local edge does: each case goes through all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from starlette.requests import Request

from cluster.edge import cdn, edge_rules
from cluster.edge.cloudfront_sites import pieces
from cluster.edge.content_origins import label_of
from cluster.local.edge_shell import shell_file
from cluster.local.edge_sites import Origin, Sites
from content.errors import ContentError
from tests.support.edge_programs import LEARNERS, SITE_URL, run_function, run_worker
from tests.vectors.edge import make

NOW = datetime.fromtimestamp(make.NOW, UTC)
KEYS = {key_id: cdn.load_public_key(make.pem(key)) for key_id, key in make.KEYS.items()}
PACKAGE = "pkg_golf"
ACME, GOLF = Origin("acme"), Origin("acme", label_of(PACKAGE))
OURS = "/exports/acme/pkg_golf/3/exp_1/0f/site/"
THEIRS = "/exports/acme/pkg_golf/3/exp_1/0f/imported/"
PREVIEW = "/previews/acme/prv_1/0f/site/"
ENV = {
    "EDGE_URL": make.HOST, "SITE_URL": SITE_URL, "EDGE_KEYS": json.dumps({each: make.pem(key) for each, key in make.KEYS.items()}),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """`want`: the key that is served, a number where it is refused, or the path that a link leads to. All is signed for what is asked."""

    origin: Origin | str
    path: str
    want: str | int
    worker: bool = False

    @property
    def host(self) -> str:
        return self.origin if isinstance(self.origin, str) else SITE_URL[8:].format(tenant=self.origin.name)

    @property
    def opens(self) -> bool:
        return self.path.startswith("/_open/")

    def query(self) -> str:
        """Good for all of the host: what is left is whether the path is of that origin."""
        document = make.policy(f"https://{self.host}/*")
        return make.query(make.parameters(document))


CASES = {
    "a page": Case(ACME, f"{OURS}index.html", f"{OURS}index.html"),
    "a file": Case(ACME, f"{OURS}media/a.webp", f"{OURS}media/a.webp"),
    "a file with blanks": Case(ACME, f"{OURS}media/a%20b.webp", f"{OURS}media/a%20b.webp"),
    "a preview": Case(ACME, f"{PREVIEW}index.html", f"{PREVIEW}index.html"),
    "an imported page": Case(GOLF, f"{THEIRS}index.html", f"{THEIRS}index.html"),
    "a host in capitals": Case("ACME.sites.eu.content.example", f"{OURS}index.html", f"{OURS}index.html"),
    "a link": Case(ACME, f"/_open{OURS}index.html", f"{OURS}index.html"),
    "a link to an imported page": Case(GOLF, f"/_open{THEIRS}index.html", f"{THEIRS}index.html"),
    "the shell": Case(GOLF, "/_player/", "/_player/index.html"),
    "the shell's script": Case(GOLF, "/_player/player.css", "/_player/player.css"),
    "the shell's worker": Case(GOLF, "/_player/sw.js", "/_player/sw.js", worker=True),
    "an imported page on the tenant's origin": Case(ACME, f"{THEIRS}index.html", 404),
    "a page of ours on a package's origin": Case(GOLF, f"{OURS}index.html", 404),
    "a preview on a package's origin": Case(GOLF, f"{PREVIEW}index.html", 404),
    "on another package's origin": Case(Origin("acme", label_of("pkg_other")), f"{THEIRS}index.html", 404),
    "on another tenant's origin": Case(Origin("rival"), f"{OURS}index.html", 404),
    "of another tenant": Case(ACME, OURS.replace("acme", "rival") + "index.html", 404),
    "on another tenant's origin, with the label": Case(Origin("rival", GOLF.label), f"{THEIRS}index.html", 404),
    "a zip": Case(ACME, "/exports/acme/pkg_golf/3/exp_1/0f/course.zip", 404),
    "a bundle": Case(ACME, "/bundles/acme/bnd_1/0.part", 404),
    "a manifest": Case(ACME, "/packages/acme/pkg_golf/3/00.json", 404),
    "an upload": Case(ACME, "/imports/acme/imp_1/upload.zip", 404),
    "settings": Case(ACME, "/sites/acme/settings.json", 404),
    "an empty segment": Case(ACME, "/exports/acme//3/exp_1/0f/site/index.html", 404),
    "dots": Case(ACME, f"{OURS}%2e%2e/imported/index.html", 404),
    "an escaped slash": Case(ACME, f"{OURS}a%2fb", 404),
    "an unknown host": Case("acme.other.example", f"{OURS}index.html", 404),
    "a host with a name too many": Case("a.acme.sites.eu.content.example", f"{OURS}index.html", 404),
    "the bare host": Case(".sites.eu.content.example", f"{OURS}index.html", 404),
    "a worker of imported content": Case(GOLF, f"{THEIRS}worker.js", 403, worker=True),
    "a worker of ours": Case(ACME, f"{OURS}sw.js", f"{OURS}sw.js", worker=True),
    "a link to what is not there": Case(ACME, f"/_open{THEIRS}index.html", 404),
    "a link to a link": Case(ACME, f"/_open/_open{OURS}index.html", 404),
    "the shell on a tenant's origin": Case(ACME, "/_player/", 404),
    "below the shell": Case(GOLF, "/_player/content/x/index.html", 404),
    "a hidden file of the shell": Case(GOLF, "/_player/.hidden", 404),
    "another script of the shell as a worker": Case(GOLF, "/_player/player.css", 404, worker=True),
}


def by_the_local_edge(case: Case) -> str | int:
    if case.host == "." or case.host.startswith("."):
        return 404
    headers = [(b"host", case.host.encode())] + ([(b"service-worker", b"script")] if case.worker else [])
    query = "" if case.path.startswith("/_player/") else case.query()
    request = Request(
        {"type": "http", "method": "GET", "path": case.path, "query_string": query.encode(), "headers": headers}
    )
    sites = Sites(SITE_URL, KEYS, lambda _: b"{}", lambda: NOW, LEARNERS)
    origin = sites.origin_of(request)
    try:
        if origin is None:
            return 404
        if case.path.startswith("/_player/"):
            if origin.label is None or (case.worker and case.path != edge_rules.SHELL_WORKER):
                return 404
            shell_file(case.path, {})
            return case.path + ("index.html" if case.path.endswith("/") else "")
        key, handed_over = sites.admit(request, origin, case.path)
    except ContentError as error:
        return 403 if error.code == "worker-refused" else 404
    if handed_over is not None:
        assert handed_over.status_code == 303
        return handed_over.headers["location"]
    assert "/" + key == case.path.replace("%20", " ")
    return case.path


def event(case: Case) -> dict[str, Any]:
    headers = {"host": {"value": case.host}} | ({"service-worker": {"value": "script"}} if case.worker else {})
    query = {name: {"value": value} for name, value in parse_qsl(case.query())} if case.opens else {}
    return {"request": {"method": "GET", "uri": case.path, "headers": headers, "querystring": query, "cookies": {}}}


def by_the_function(answer: dict[str, Any]) -> str | int:
    if "uri" in answer:
        return answer["uri"]
    if answer["statusCode"] == 303:
        assert set(answer["cookies"]) == {f"CloudFront-{name}" for name in cdn.PARAMETERS}
        return answer["headers"]["location"]["value"]
    assert answer["headers"]["cache-control"] == {"value": "no-store"}
    return answer["statusCode"]


def by_the_worker(case: Case, answer: dict[str, Any]) -> str | int:
    if answer["status"] == 303:
        assert len(answer["cookies"]) == 4
        return answer["headers"]["location"]
    if answer["status"] != 200:
        return answer["status"]
    return "/" + answer["asked"][-1].replace(" ", "%20")


def test_the_local_edge_the_function_and_the_worker_decide_alike() -> None:
    functions = run_function("sites", [event(case) for case in CASES.values()])
    objects = {
        str(case.want).lstrip("/").replace("%20", " "): {"body": "x", "type": "text/html", "etag": '"1"'}
        for case in CASES.values()
    }
    requests: list[dict[str, Any]] = []
    for case in CASES.values():
        host = case.host.lstrip(".") if case.host.startswith(".") else case.host  # no URL has the other
        query = "" if case.path.startswith("/_player/") else f"?{case.query()}"
        headers = {"service-worker": "script"} if case.worker else {}
        requests.append({"url": f"https://{host}{case.path}{query}", "headers": headers, "now": make.NOW})
    workers = run_worker(requests, ENV, objects)
    for (name, case), function, worker in zip(CASES.items(), functions, workers, strict=True):
        if "capitals" not in name:  # a URL is in small letters, and what is signed too
            assert by_the_local_edge(case) == case.want, name
            assert by_the_worker(case, worker) == case.want, (name, worker)
        assert by_the_function(function) == case.want, (name, function)


def test_the_cookies_that_a_link_hands_over_are_what_it_was_signed_with() -> None:
    case = CASES["a link"]
    (function,) = run_function("sites", [event(case)])
    (worker,) = run_worker([{"url": f"https://{case.host}{case.path}?{case.query()}", "now": make.NOW}], ENV)
    expected = cdn.cookies_of(case.query())
    assert {name: each["value"] for name, each in function["cookies"].items()} == expected
    attributes = {each["attributes"] for each in function["cookies"].values()}
    assert attributes == {f"Path={OURS}; Secure; HttpOnly; SameSite=None"}
    told = [line.partition("; ") for line in worker["cookies"]]
    assert {name: value for name, _, value in (line.partition("=") for line, _, _ in told)} == expected
    assert {rest for _, _, rest in told} == attributes


def test_a_link_without_all_four_or_with_something_smuggled_hands_over_nothing() -> None:
    good = event(CASES["a link"])
    wrong: list[dict[str, Any]] = []
    for name in cdn.PARAMETERS:
        for value in (
            None,
            {"value": "a b"},
            {"value": "a;Domain=example"},
            {"value": "a\r\nb"},
            {"value": "a", "multiValue": [{}]},
        ):
            changed = json.loads(json.dumps(good))
            if value is None:
                del changed["request"]["querystring"][name]
            else:
                changed["request"]["querystring"][name] = value
            wrong.append(changed)
    answers = run_function("sites", wrong)
    assert {each["statusCode"] for each in answers} == {403} and not any("cookies" in each for each in answers)


def test_the_edges_own_address_has_the_prefixes_of_the_table_alone() -> None:
    served = [f"/{rule.prefix}acme/x" for rule in edge_rules.RULES if rule.place == "files"]
    not_there = [
        "/", "/x", "/imports/acme/x", "/withdrawn/acme/x", "/events/eu/x", "/sites/acme/settings.json", "/_player/", "/previews/acme/x",
        "/bundles", "/bundles/acme/../x", "/bundles/acme/%2E%2e/x", "/bundles//x", "/bundles/a%5cb", "/bundles/%00",
    ]  # fmt: skip
    events = [{"request": {"uri": path, "headers": {}}} for path in served + not_there]
    answers = run_function("files", events)
    assert [each.get("uri") for each in answers] == [*served, *[None] * len(not_there)]
    assert {each["statusCode"] for each in answers[len(served) :]} == {404}


# What comes with a site.

LONG = "frame-ancestors " + " ".join(f"https://lms-{number}.example.org" for number in range(60))
TOLD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a policy": {"csp": "frame-ancestors https://lms.example", "origins": []},
    "pages of learners": {"csp": None, "origins": ["https://a.example", "https://b.example:8443"]},
    "more than one value holds": {"csp": LONG, "origins": ["https://a.example"]},
}
SHOWN = {
    "a page": (ACME, f"{OURS}index.html"),
    "imported": (GOLF, f"{THEIRS}index.html"),
    "the shell": (GOLF, "/_player/index.html"),
}


@pytest.mark.parametrize("told", TOLD)
async def test_a_site_has_the_same_headers_everywhere(told: str) -> None:
    said = json.dumps(TOLD[told]).encode()
    sites = Sites(SITE_URL, KEYS, lambda _: said, lambda: NOW, LEARNERS)
    store = pieces("acme", said) if TOLD[told] else {}
    events = [
        {
            "request": {"uri": path, "headers": {"host": {"value": SITE_URL[8:].format(tenant=origin.name)}}},
            "response": {"statusCode": 200, "headers": {"etag": {"value": '"1"'}}},
        }
        for origin, path in SHOWN.values()
    ]
    objects = {path.lstrip("/"): {"body": "<p>", "type": "text/html", "etag": '"1"'} for _, path in SHOWN.values()}
    objects["sites/acme/settings.json"] = {"body": said.decode(), "type": "application/json", "etag": '"2"'}
    requests: list[dict[str, Any]] = []
    for origin, path in SHOWN.values():
        case = Case(origin, path, path)
        requests.append({"url": f"https://{case.host}{path}?{case.query()}", "now": make.NOW})
    answers = zip(
        SHOWN.values(), run_function("answer", events, store), run_worker(requests, ENV, objects), strict=True
    )
    for (origin, path), function, worker in answers:
        if path.startswith("/_player/"):
            shell = await sites.shell(
                Request({"type": "http", "method": "GET", "path": path, "headers": []}), origin, path
            )
            expected = {
                name: value for name, value in shell.headers.items() if name not in ("content-length", "content-type")
            }
        else:
            expected = await sites.headers(origin) | edge_rules.ALWAYS
        assert worker["status"] == 200
        assert {name: worker["headers"].get(name) for name in expected} == expected
        del expected["x-content-type-options"]  # of CloudFront's policy, not of the function
        assert {name: value["value"] for name, value in function["headers"].items()} == {**expected, "etag": '"1"'}


def test_no_page_is_served_under_a_policy_that_may_not_be_the_tenants() -> None:
    asked = {
        "request": {"uri": f"{OURS}index.html", "headers": {"host": {"value": "acme.sites.eu.content.example"}}},
        "response": {"statusCode": 200, "headers": {}},
    }
    (away,) = run_function("answer", [asked], None)
    assert away == {"thrown": "the store is away"}, "which CloudFront answers with 503"
    (torn,) = run_function("answer", [asked], {"acme": '2|{"csp":'})
    assert "thrown" in torn
    case = CASES["a page"]
    request = {"url": f"https://{case.host}{case.path}?{case.query()}", "now": make.NOW}
    (worker,) = run_worker([request], ENV, {}, away=True)
    assert worker["status"] == 0, "which fetch() answers with 502"


# The Worker in front of R2.

PART_KEY = "bundles/acme/bnd_1/3f/0.part"
MANIFEST_KEY = "packages/acme/pkg_1/3/00ff.json"
BODY = "".join(chr(97 + number % 26) for number in range(1000))
STORED = {
    PART_KEY: {"body": BODY, "type": "application/octet-stream", "etag": '"part"'},
    MANIFEST_KEY: {"body": "{}", "type": "application/json", "etag": '"manifest"'},
}


def fetched(*asked: dict[str, Any]) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = []
    for each in asked:
        key = each.pop("key", PART_KEY)
        url = make.url(
            make.policy(f"{make.HOST}/{key}", before=each.pop("before", make.NOW + 60)), at=f"{make.HOST}/{key}"
        )
        requests.append({"url": url, "now": make.NOW, **each})
    return run_worker(requests, ENV, STORED)


def test_the_worker_serves_ranges_as_the_local_edge_does() -> None:
    whole, part, last, open_, still, changed, outside = fetched(
        {}, {"headers": {"range": "bytes=10-19"}}, {"headers": {"range": "bytes=-5"}}, {"headers": {"range": "bytes=990-"}},
        {"headers": {"range": "bytes=1-2", "if-range": '"part"'}}, {"headers": {"range": "bytes=1-2", "if-range": '"older"'}},
        {"headers": {"range": "bytes=5000-"}},
    )  # fmt: skip
    assert (whole["status"], whole["body"], whole["headers"]["content-length"]) == (200, BODY, "1000")
    assert (part["status"], part["body"], part["headers"]["content-range"]) == (206, BODY[10:20], "bytes 10-19/1000")
    assert (last["body"], last["headers"]["content-range"]) == (BODY[-5:], "bytes 995-999/1000")
    assert (open_["body"], open_["headers"]["content-length"]) == (BODY[990:], "10")
    assert (still["status"], still["body"]) == (206, BODY[1:3])
    assert (changed["status"], changed["body"]) == (200, BODY)
    assert (outside["status"], outside["code"]) == (416, "range")
    assert whole["headers"]["access-control-allow-origin"] == "*"
    assert whole["headers"]["x-content-type-options"] == "nosniff" and whole["headers"]["accept-ranges"] == "bytes"
    assert "cache-control" not in whole["headers"]


def test_the_worker_keeps_what_it_fetched_without_the_signature_and_checks_each_anew() -> None:
    first, second, expired, head = fetched({}, {}, {"before": make.NOW - 1}, {"method": "HEAD"})
    assert (first["asked"], second["asked"], head["asked"]) == ([PART_KEY], [], [])
    assert (second["status"], second["body"]) == (200, BODY)
    assert (head["status"], head["body"]) == (200, "")
    assert (expired["status"], expired["code"]) == (403, "url-expired")
    assert first["tags"] == ["bundles,bundles/acme,bundles/acme/bnd_1,bundles/acme/bnd_1/3f"]
    assert "cache-tag" not in second["headers"] and "cache-control" not in second["headers"]


def test_the_worker_keeps_manifests_for_a_minute_with_a_strong_etag() -> None:
    first, same, unknown = fetched(
        {"key": MANIFEST_KEY}, {"key": MANIFEST_KEY, "headers": {"if-none-match": '"older"'}}, {"key": "packages/acme/pkg_1/3/11.json"}
    )  # fmt: skip
    for each in (first, same):
        assert (each["status"], each["headers"]["etag"], each["headers"]["cache-control"]) == (
            200, '"manifest"', "max-age=60",
        )  # fmt: skip
    assert (unknown["status"], unknown["code"]) == (404, "not-found")
    (fresh,) = fetched({"key": MANIFEST_KEY, "headers": {"if-none-match": '"manifest"'}})
    assert (fresh["status"], fresh["body"]) == (304, "")


def test_the_worker_takes_a_key_that_was_put_in_and_forgets_one_that_was_taken_out() -> None:
    url = make.url(make.policy(make.PART), key_id="KEC2")
    only = [{"EDGE_KEYS": json.dumps({each: make.pem(make.KEYS[each]) for each in names})} for names in (["KEC1"], ["KEC1", "KEC2"], ["KEC1"])]  # fmt: skip
    answers = run_worker([{"url": url, "now": make.NOW, "env": env} for env in only], ENV, STORED)
    assert [each["status"] for each in answers] == [403, 200, 403]


def test_the_worker_takes_get_and_head_alone() -> None:
    for answer in fetched({"method": "PUT"}, {"method": "OPTIONS"}, {"method": "DELETE"}):
        assert (answer["status"], answer["code"]) == (405, "method-not-allowed")
