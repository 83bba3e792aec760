"""Registries: what the tests of several registries on one topic share.

    from registries import ask, check, health, spawn, until     with the program and a folder in sys.argv[1:3]"""

import http.client
import json
import os
import re
import subprocess
import sys
import time

WEIR, FOLDER = sys.argv[1:3]


def check(what, wanted, found):
    if found != wanted:
        sys.exit(f"{what}: {found}, not {wanted}")


def ask(address, method, path, body=None, **headers):
    client = http.client.HTTPConnection(address, timeout=40)
    try:
        client.request(method, path, json.dumps(body) if body is not None else None,
                       {name.replace("_", "-"): value for name, value in headers.items()})
        answer = client.getresponse()
        return answer.status, answer.getheader("Content-Type"), json.loads(answer.read() or b"null")
    finally:
        client.close()


def until(what, limit, condition):
    end = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > end:
            sys.exit(f"{what}: not within {limit} s")
        time.sleep(0.02)
    return found


def spawn(name, args, pattern):
    path = os.path.join(FOLDER, name + ".log")
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", WEIR, *args], stderr=open(path, "w"))
    return process, until(name, 30, lambda: re.findall(pattern, open(path).read()))[-1]


def health(address):
    try:
        return ask(address, "GET", "/health")[2]
    except (OSError, http.client.HTTPException):
        return {}
