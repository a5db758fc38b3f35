"""Run by another interpreter, in which scormhost is installed: paths as JSON on standard input, seconds of each as JSON out."""

import contextlib
import json
import sys
import time
from pathlib import Path

from scormhost.config import HostSettings  # pyright: ignore[reportMissingImports]
from scormhost.packages import extract_scorm_zip  # pyright: ignore[reportMissingImports]
from scormhost.storage import PackageStore  # pyright: ignore[reportMissingImports]

if __name__ == "__main__":
    data = Path(sys.argv[1])
    store = PackageStore(HostSettings(data_dir=data))
    found = []
    for number, name in enumerate(json.load(sys.stdin)):
        began = time.perf_counter()
        with contextlib.suppress(Exception):
            extract_scorm_zip(store, Path(name).read_bytes(), Path(name).name, f"package-{number}")
        found.append(time.perf_counter() - began)
    print(json.dumps(found))
