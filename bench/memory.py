"""Run as a process of its own: seal a 1 GiB package and print how far memory rose above the idle worker."""

from __future__ import annotations

import json
import os
import resource
import uuid

import psutil

import actors.bundler  # noqa: F401 - the idle replica has it loaded
from bench.bundle import MIB, put_assets
from cluster import places
from cluster.objects import Objects
from cluster.settings import Settings
from content.bundles.keys import ContentKey
from tasks.sealing import Source, Target, seal_batch

if __name__ == "__main__":
    objects = Objects(Settings.load())
    sources = put_assets(objects, "bench", count=1, size=MIB)  # connections and buffers of the client are made once
    seal_batch(
        objects, sources, [Target(f"sea_{uuid.uuid4().hex[:26]}/a", ContentKey("k", bytes(32)))], places.bundles("b")
    )
    reader, writer = os.pipe()
    if os.fork() == 0:  # the assets are made elsewhere, so that they do not count
        made = put_assets(Objects(Settings.load()), "bench", count=16, size=64 * MIB)
        os.write(writer, json.dumps([vars(source) for source in made]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        sources = [Source(**entry) for entry in json.load(file)]
    os.wait()
    idle = psutil.Process().memory_info().rss
    seal_batch(
        objects, sources, [Target(f"sea_{uuid.uuid4().hex[:26]}/a", ContentKey("k", bytes(32)))], places.bundles("b")
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"mib": max(0, peak - idle) / MIB, "idle_mib": idle / MIB}))
