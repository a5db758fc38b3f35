"""What runs inside: it imports ahead, waits for one request, and follows it: `python -I -S -B runner.py SETUP`.

Until the request it has seen no author's byte. It then limits itself and calls the function that is asked for, or
becomes the program that is asked for. Standard library only: nothing else of ours is seen from here.

Before: a line `ready` on standard output. Request (one line on standard input): JSON with `limits` and either `argv` and
`environment`, or `function`, `arguments` and `shares`. Answers of a function, a line each: `{"share": 0.5}`, at last
`{"value": …}` or `{"refusal": [code, message, remedy]}`.
"""

import errno
import importlib
import json
import os
import sys

NOT_EVERYWHERE = ("NPROC", "CORE")  # gVisor has neither of these limits; what they bound is bounded otherwise too


def main(setup: str) -> None:
    known = json.loads(setup)
    sys.path[:0] = known["path"]
    for name in known["preload"]:
        importlib.import_module(name)
    import resource

    answers = os.dup(1)  # closed on exec; what a library prints goes to standard error
    os.write(answers, b"ready\n")
    request = _request()
    for name, value in request["limits"].items():
        limit = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(limit, (value, value))
        except ValueError:
            if name not in NOT_EVERYWHERE:
                raise
    if "argv" in request:
        os.execve(request["argv"][0], request["argv"], request["environment"])  # noqa: S606
    os.dup2(2, 1)
    _say(answers, _answer(answers, request))
    sys.stderr.flush()
    os._exit(0)  # taking down an interpreter full of decoders costs more than a small picture


def _request() -> dict:
    data = b""
    # Not to the end of the pipe: a process that its starter forked may hold that open.
    while not data.endswith(b"\n"):
        chunk = os.read(0, 65536)
        if not chunk:  # nobody needs this sandbox any more
            sys.exit(0)
        data += chunk
    return json.loads(data)


def _answer(answers: int, request: dict) -> dict:
    module, _, name = request["function"].partition(":")
    arguments = request["arguments"]
    if request["shares"]:
        arguments["progress"] = lambda share: _say(answers, {"share": share})
    try:
        return {"value": getattr(importlib.import_module(module), name)(**arguments)}
    except MemoryError:
        return {"refusal": ["out-of-memory", "", ""]}
    except Exception as error:
        if getattr(error, "errno", None) == errno.EFBIG:
            return {"refusal": ["output-too-large", "", ""]}
        told = [getattr(error, name, None) for name in ("code", "message", "remedy")]
        if not all(isinstance(each, str) for each in told):
            raise
        return {"refusal": told}


def _say(answers: int, document: dict) -> None:
    line = json.dumps(document).encode() + b"\n"
    while line:
        line = line[os.write(answers, line) :]


if __name__ == "__main__":
    main(sys.argv[1])
