"""A registry that is killed at every step of every kind of write, and what the next one finds.

    leader_steps.py WEIR REGISTRY_AT TOPIC_COPY FOLDER

What was answered before is there; the write that got no answer is there whole, or not at all; the next id is
one that was never given; and what compaction would leave of the topic reads the same."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time

WEIR, AT, COPY, FOLDER = sys.argv[1:5]
problems = []


def once(address, method, path, body=None):
    client = http.client.HTTPConnection(address, timeout=30)
    try:
        client.request(method, path, json.dumps(body) if body is not None else None)
        answer = client.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        client.close()


def well(address, method, path, body=None):
    status, answer = once(address, method, path, body)
    if status != 200:
        sys.exit(f"{method} {path}: {status} {answer}")
    return answer


def spawn(name, args, pattern, **more):
    path = os.path.join(FOLDER, name + ".log")
    process = subprocess.Popen(args, stderr=open(path, "w"), **more)
    while not (found := re.findall(pattern, open(path).read())):
        if process.poll() is not None:
            sys.exit(f"{name} ended: {open(path).read()[-2000:]}")
        time.sleep(0.005)
    return process, found[-1]


def wait_ready(address):
    while True:
        try:
            status, health = once(address, "GET", "/health")
            if status == 200 and health["lag"] == 0:
                return health
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.005)


def wait_quiet(address):
    """Until a new leader owes nothing to the topic any more."""
    while True:
        health = wait_ready(address)
        if health["role"] == "leader" and health["owed"] == 0:
            return
        time.sleep(0.005)


def registry(*more, listen="127.0.0.1:0"):
    process, address = spawn("registry", ["setpriv", "--pdeathsig", "KILL", WEIR, "registry", "--listen", listen,
                                          "--bootstrap", bootstrap, *more], r"registry\.listening http://(\S+)")
    wait_ready(address)
    return process, address


def state_of(address):
    versions = []
    while page := well(address, "GET", f"/schemas?deleted=true&offset={len(versions)}"):
        versions += page
    for version in versions:
        version.pop("ts", None)
    names = sorted({v["subject"] for v in versions} | {"s"})
    return versions, {f"/{what}/{name}": once(address, "GET", f"/{what}/{name}")
                      for what in ("config", "mode") for name in names}


def schema(n):
    return {"schema": json.dumps({"type": "fixed", "name": f"F{n}", "size": n})}


def end(process):
    process.terminate()
    process.wait()


def prepare(address):
    """Before each: s has versions 1 to 3, softly deleted, and settings; t has one that is live."""
    well(address, "PUT", "/config/s", {"compatibility": "NONE"})
    for n in (1, 2, 3):
        well(address, "POST", "/subjects/s/versions", schema(n))
    well(address, "DELETE", "/subjects/s")
    well(address, "POST", "/subjects/t/versions", schema(9))


MANY, LONG = 900, "many-" + "x" * 250


def prepare_many(address):
    """Versions whose keys, one by one, would take more than 256 KiB."""
    well(address, "PUT", f"/config/{LONG}", {"compatibility": "NONE"})
    client = http.client.HTTPConnection(address, timeout=30)
    for n in range(1, MANY + 1):
        client.request("POST", f"/subjects/{LONG}/versions", json.dumps(schema(2000 + n)))
        answer = client.getresponse()
        if answer.read() and answer.status != 200:
            sys.exit(f"version {n} of many: {answer.status}")
    client.close()
    well(address, "DELETE", f"/subjects/{LONG}")


WRITES = {  # how many records; the request
    "register": (1, "POST", "/subjects/new/versions", schema(20)),
    "register in a new context": (2, "POST", "/subjects/:.c:new/versions", schema(21)),
    "register again": (2, "POST", "/subjects/s/versions", schema(2)),
    "level": (1, "PUT", "/config/t", {"compatibility": "FULL"}),
    "delete softly": (1, "DELETE", "/subjects/t", None),
    "delete a version": (2, "DELETE", "/subjects/s/versions/2?permanent=true", None),
    "delete for good": (6, "DELETE", "/subjects/s?permanent=true", None),
    "delete many for good": (MANY + 3, "DELETE", f"/subjects/{LONG}?permanent=true", None),
}


def steps(records):
    between = range(1, records) if records < MANY else (1, 2, 100)
    return [("append", 1), *[("between", n) for n in between], ("sent", 1), ("acknowledged", 1), ("read", 1)]


copies = 0


def compacted(want, what):
    """What compaction leaves reads the same, and so it does when the tombstones have gone too."""
    global copies
    for expired in ([], ["expired"]):
        copies += 1
        topic = f"copy{copies}"
        subprocess.run([COPY, bootstrap, "_schemas", topic, str(1 << 40), *expired], check=True,
                       stdout=subprocess.DEVNULL)
        process, address = registry("--set", f"kafkastore.topic={topic}", "--set", f"schema.registry.group.id={topic}")
        if state_of(address) != want:
            problems.append(f"{what}: after compaction {expired} {state_of(address)}\n  not {want}")
        end(process)


def run(name, step, count):
    records, method, path, body = WRITES[name]
    what = f"{name}, killed at {step} {count}"
    process, address = registry()
    for subject in ("s", "t", "new", ":.c:new"):
        once(address, "DELETE", f"/subjects/{subject}")
        once(address, "DELETE", f"/subjects/{subject}?permanent=true")
    once(address, "DELETE", "/contexts/.c")
    once(address, "DELETE", "/config/t")
    prepare(address)
    if records > MANY:
        prepare_many(address)
    before = state_of(address)
    highest = max(v["id"] for v in before[0])
    end(process)
    victim, address = spawn("victim", [AT, bootstrap, address, step, str(count)],
                            r"registry\.listening http://(\S+)", stdout=subprocess.PIPE, text=True)
    wait_quiet(address)
    victim.send_signal(signal.SIGUSR1)
    if victim.stdout.readline() != "armed\n":
        sys.exit("the victim is not armed")
    try:
        problems.append(f"{what}: answered {once(address, method, path, body)}")
    except (OSError, http.client.HTTPException):
        pass
    if victim.wait() != -signal.SIGKILL:
        problems.append(f"{what}: it ended with {victim.returncode}")
    process, address = registry(listen=address)
    found = state_of(address)
    if found == before and step in ("acknowledged", "read"):
        problems.append(f"{what}: what was acknowledged is lost")
    if step == "append" and found != before:
        problems.append(f"{what}: it was not written and is there")
    wait_quiet(address)
    compacted(found, what)
    if found == before:
        well(address, method, path, body)
    whole = state_of(address)
    if found not in (before, whole):
        problems.append(f"{what}: in part: {found}\n  not {whole}\n  nor {before}")
    if found != before:
        expected = EXPECTED.setdefault(name, shape(whole))
        if shape(whole) != expected:
            problems.append(f"{what}: {shape(whole)}\n  not {expected}")
    else:
        EXPECTED.setdefault(name, shape(whole))
        if shape(whole) != EXPECTED[name]:
            problems.append(f"{what}, once more: {shape(whole)}\n  not {EXPECTED[name]}")
    given = well(address, "POST", f"/subjects/after{len(done)}/versions", schema(1000 + len(done)))["id"]
    if given <= highest:
        problems.append(f"{what}: id {given} is given again")
    end(process)
    done.append(what)


def shape(state):
    """A state without ids, which rise from run to run, and without what other runs have left."""
    return json.dumps([[(v["subject"], v["version"], v["schema"], v.get("deleted", False)) for v in state[0]
                        if not v["subject"].startswith("after")],
                       [found for path, found in sorted(state[1].items()) if "after" not in path]])


EXPECTED, done = {}, []
broker, bootstrap = spawn("broker", ["setpriv", "--pdeathsig", "KILL", WEIR, "broker", "--data",
                                     os.path.join(FOLDER, "data"), "--listen", "127.0.0.1:0"], r"weir\.ready broker (\S+)")
for write, (number, *_) in WRITES.items():
    for one in steps(number):
        run(write, *one)
end(broker)
print(f"{len(done)} kills")
if problems:
    sys.exit("\n".join(problems[:10]))
