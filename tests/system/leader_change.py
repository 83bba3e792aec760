"""Several registries on one topic under 16 clients, while the leader is killed, stopped beyond its
session and woken again, and ended cleanly. Then, over all answers and over the topic:

    leader_change.py WEIR TOPIC_COPY FOLDER ROUNDS

R1 an id stands for one schema, whoever answered, whenever.     R2 one schema has one id.
R3 versions of a subject are 1, 2, 3, …; who began later got a higher one.
R4 nothing is given again.   R5 a version was checked under the level in force where it lies in the topic.
R6 what was answered is there: in every registry, in one that reads the topic anew, and in one that reads
   what compaction would leave of it, up to any point.
Clients see nothing but answers and 5xx (or no connection), which they try again."""

import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

WEIR, COPY, FOLDER, ROUNDS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
CLIENTS, REGISTRIES = 16, 3
SEED = int(os.environ.get("WEIR_TEST_SEED", random.randrange(1 << 30)))
random.seed(SEED)
lock = threading.Lock()
problems, retries, slowest = [], {}, [0.0]
history = []  # of registrations: (subject, schema, begin, end, id, version)
deleted_for_good = set()  # schemas whose id may be another one later
stopping = threading.Event()


def problem(text):
    with lock:
        problems.append(text)


class Registry:
    def __init__(self, name, bootstrap, *more):
        self.name, self.bootstrap, self.more = name, bootstrap, more
        self.address, self.process = "127.0.0.1:0", None

    def start(self):
        path = os.path.join(FOLDER, self.name + ".log")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", WEIR, "registry", "--listen", self.address,
             "--bootstrap", self.bootstrap, *self.more], stderr=open(path, "a"))
        while self.address.endswith(":0"):
            found = re.findall(r"registry\.listening http://(\S+)", open(path).read())
            if found:
                self.address = found[-1]
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended: {open(path).read()[-2000:]}")
            time.sleep(0.01)
        return self

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait()

    def health(self):
        return json.loads(once(self.address, "GET", "/health", None, 5)[1])

    def wait(self, what, limit=60):
        end = time.monotonic() + limit
        while True:
            try:
                health = self.health()
                if what(health):
                    return health
            except (OSError, http.client.HTTPException, ValueError):
                health = None
            if time.monotonic() > end:
                sys.exit(f"{self.name}: {health} within {limit} s")
            time.sleep(0.02)


def once(address, method, path, body, timeout):
    client = http.client.HTTPConnection(address, timeout=timeout)
    try:
        client.request(method, path, json.dumps(body) if body is not None else None,
                       {"Content-Type": "application/json"})
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()


def ask(method, path, body=None, again_is=()):
    """As a client of a registry: other URLs in turn after 5xx or without an answer. `again_is`: error
    codes that mean that an earlier try has done it."""
    order = random.sample(registries, len(registries))
    begin = time.monotonic()
    for number in range(1000):
        registry = order[number % len(order)]
        try:
            status, text = once(registry.address, method, path, body, 12)
            why = f"{status} {text[:80]}" if status >= 500 else None
        except (OSError, http.client.HTTPException) as error:
            why, text, status = type(error).__name__, b"", 0
        if why is None:
            with lock:
                slowest[0] = max(slowest[0], time.monotonic() - begin)
            answer = json.loads(text)
            if status >= 400 and number and answer.get("error_code") in again_is:
                return 200, None
            return status, answer
        with lock:
            retries[why[:60]] = retries.get(why[:60], 0) + 1
        if time.monotonic() - begin > 30:
            problem(f"{method} {path}: no answer but {why} for 30 s")
            return 0, None
        time.sleep(0.05)


def record(name, *fields):
    return json.dumps({"type": "record", "name": name,
                       "fields": [{"name": f, "type": "int", "default": 0} for f in fields]})


def register(subject, schema, may_fail=False):
    begin = time.monotonic()
    status, answer = ask("POST", f"/subjects/{subject}/versions", {"schema": schema})
    if status == 200:
        with lock:
            history.append((subject, schema, begin, time.monotonic(), answer["id"], answer["version"]))
    elif status and not may_fail:
        problem(f"{subject}: {status} {answer}")
    return status


def wanted(status, answer, what):
    if status not in (0, 200):
        problem(f"{what}: {status} {answer}")


def work(n):
    dice = random.Random(SEED * 100 + n)
    for i in range(1 << 30):
        if stopping.is_set():
            return
        register(f"own{n}", record(f"Own{n}", *[f"f{k}" for k in range(i % 50 + 1)], f"u{i}"))
        register(f"same{i % 7}", record(f"Same{i // 3}"), may_fail=True)
        register(f"line{dice.randrange(4)}", record("Line", f"c{n}i{i}"))
        if n < 2:  # a level that comes and goes
            wanted(*ask("PUT", "/config/strict", {"compatibility": dice.choice(["NONE", "FULL"])}), "level")
        elif n < 6:
            register("strict", dice.choice(['"int"', '"string"', '"bytes"']) if i % 2 else
                     json.dumps({"type": "fixed", "name": f"X{n}x{i}", "size": 4}), may_fail=True)
        elif i % 4 == 3:  # a subject that goes for good, with all that it had
            subject, gone = f"gone{n}-{i}", [record(f"Gone{n}x{i}", "a"), record(f"Gone{n}x{i}", "a", "b")]
            with lock:
                deleted_for_good.update(gone)
            for schema in gone:
                register(subject, schema)
            wanted(*ask("PUT", f"/config/{subject}", {"compatibility": "NONE"}), subject)
            wanted(*ask("DELETE", f"/subjects/{subject}", again_is=(40404,)), subject)
            wanted(*ask("DELETE", f"/subjects/{subject}?permanent=true", again_is=(40401,)), subject)
            with lock:
                dead.add(subject)


dead = set()


def leader():
    while True:
        for registry in registries:
            try:
                if registry.health()["role"] == "leader":
                    return registry
            except (OSError, http.client.HTTPException, ValueError):
                pass
        time.sleep(0.05)


def disturb():
    for number in range(ROUNDS):
        time.sleep(1.5)
        victim, kind = leader(), number % 4
        if kind == 0:
            victim.end(signal.SIGKILL)
            time.sleep(random.random())
            victim.start()
        elif kind == 1:  # longer than its session: another one takes over, then it wakes up
            victim.process.send_signal(signal.SIGSTOP)
            others = [r for r in registries if r is not victim]
            end = time.monotonic() + 20
            while not any(r.wait(lambda h: True)["role"] == "leader" for r in others):
                if time.monotonic() > end:
                    problem("nobody takes over from a leader that is stopped")
                    break
                time.sleep(0.05)
            victim.process.send_signal(signal.SIGCONT)
        elif kind == 2:
            victim.end(signal.SIGTERM)
            victim.start()
        else:  # a follower and the leader at the same time
            other = random.choice([r for r in registries if r is not victim])
            other.end(signal.SIGKILL)
            victim.end(signal.SIGKILL)
            victim.start()
            other.start()
    time.sleep(1)


def state_of(registry):
    """Everything that a registry knows, without times."""
    versions, at = [], 0
    while True:
        page = json.loads(once(registry.address, "GET", f"/schemas?deleted=true&offset={at}&limit=1000", None, 30)[1])
        versions += page
        at += len(page)
        if len(page) < 1000:
            break
    for version in versions:
        version.pop("ts", None)
    settings = {s: once(registry.address, "GET", f"/config/{s}", None, 30) for s in
                sorted({v["subject"] for v in versions} | dead)}
    return versions, settings


def check_answers(versions):
    by_schema, by_id = {}, {}
    live = {(v["subject"], v["version"]): v for v in versions}
    for subject, schema, _, _, id, version in history:
        by_id.setdefault(id, set()).add(schema)
        by_schema.setdefault(schema, set()).add(id)
        if subject in dead or subject.startswith("gone"):
            continue
        found = live.get((subject, version))
        if found is None or found["id"] != id:
            problem(f"R6: {subject} {version} with id {id} was answered; there is {found}")
    for id, schemas in by_id.items():
        if len(schemas) > 1:
            problem(f"R1: id {id} stood for {len(schemas)} schemas: {sorted(schemas)[:2]}")
    for schema, ids in by_schema.items():
        if len(ids) > 1 and schema not in deleted_for_good:
            problem(f"R2: ids {sorted(ids)} for one schema {schema[:80]}")
    numbers = {}
    for v in versions:
        numbers.setdefault(v["subject"], []).append(v["version"])
    for subject, found in numbers.items():
        if not subject.startswith("gone") and sorted(found) != list(range(1, len(found) + 1)):
            problem(f"R3: {subject} has the versions {sorted(found)[:20]}")
        if subject in dead:
            problem(f"{subject} was deleted for good and is there")
    for subject in {h[0] for h in history}:
        first = {}
        for _, schema, begin, end, _, version in (h for h in history if h[0] == subject):
            known = first.setdefault(version, [begin, end])
            known[1] = min(known[1], end)
        order = sorted(first.items())
        latest_begin = 0.0
        for version, (begin, end) in order:
            # every earlier version began before this one's answer
            if end < latest_begin and not subject.startswith("gone"):
                problem(f"R3: {subject} {version} was answered before a lower one was asked for")
            latest_begin = max(latest_begin, begin)


def check_topic(bootstrap):
    """R5, from the topic alone: the epoch rule as docs/formats/schemas-topic.md has it."""
    lines = subprocess.run([COPY, bootstrap, "_schemas", "print"], check=True, capture_output=True, text=True)
    epoch, level, latest, fenced, seen = 0, "BACKWARD", None, 0, {}
    for line in lines.stdout.splitlines():
        one = json.loads(line)
        key, value = json.loads(one["key"]), json.loads(one["value"]) if one["value"] else None
        own = int(one["epoch"]) if one["epoch"] else None
        if key["keytype"] == "NOOP" and key["magic"] > 0 and value and own is None:
            epoch = max(epoch, key["magic"])
            continue
        if own is None or own < epoch:
            fenced += own is not None
            if own is None:
                problem(f"a record without an epoch: {line[:200]}")
            continue
        epoch = own
        if key.get("subject") == "strict" and key["keytype"] == "CONFIG":
            level = value["compatibilityLevel"] if value else "BACKWARD"
        if key.get("subject") == "strict" and key["keytype"] == "SCHEMA" and value:
            if key["version"] in seen:
                if seen[key["version"]] != value["schema"]:
                    problem(f"R4: strict {key['version']} was given twice")
                continue
            seen[key["version"]] = value["schema"]
            pair = {latest, value["schema"]}
            if latest is not None and level != "NONE" and pair != {'"string"', '"bytes"'}:
                problem(f"R5: strict {key['version']} {value['schema']} after {latest} under {level}")
            latest = value["schema"]
    return len(lines.stdout.splitlines()), epoch, fenced, len(seen)


broker_log = os.path.join(FOLDER, "leaders-broker.log")
broker = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", WEIR, "broker", "--data", os.path.join(FOLDER, "leaders"),
                           "--listen", "127.0.0.1:0"], stderr=open(broker_log, "w"))
while not (ready := re.findall(r"weir\.ready broker (\S+)", open(broker_log).read())):
    time.sleep(0.02)
bootstrap = ready[0]
registries = [Registry(f"leaders{n}", bootstrap).start() for n in range(REGISTRIES)]
for registry in registries:
    registry.wait(lambda h: h["status"] == "ok")
threads = [threading.Thread(target=work, args=(n,)) for n in range(CLIENTS)]
for thread in threads:
    thread.start()
disturb()
stopping.set()
for thread in threads:
    thread.join()
for registry in registries:
    registry.wait(lambda h: h["status"] == "ok" and h["lag"] == 0)
for registry in registries:  # the leader's debts to the topic are paid, and everybody has read it
    registry.wait(lambda h: h["lag"] == 0 and h["owed"] == 0)
states = [state_of(r) for r in registries]
if any(state != states[0] for state in states):
    problem("the registries differ")
check_answers(states[0][0])
records, epoch, fenced, strict = check_topic(bootstrap)
for number, prefix in enumerate([0, records, *(random.randrange(records) for _ in range(4))]):
    copy = f"copy{number}"
    subprocess.run([COPY, bootstrap, "_schemas", copy, str(prefix)], check=True, stdout=subprocess.DEVNULL)
    reader = Registry(copy, bootstrap, "--set", f"kafkastore.topic={copy}", "--set",
                      f"schema.registry.group.id={copy}").start()
    reader.wait(lambda h: h["status"] == "ok" and h["lag"] == 0)
    if state_of(reader) != states[0]:
        mine, theirs = ({(v["subject"], v["version"]): v for v in s[0]} for s in (state_of(reader), states[0]))
        differ = [(k, mine.get(k), theirs.get(k)) for k in {**mine, **theirs} if mine.get(k) != theirs.get(k)]
        problem(f"R6: compacted up to {prefix} of {records} it reads otherwise: {differ[:2]}")
    reader.end(signal.SIGTERM)
for registry in registries:
    registry.end(signal.SIGTERM)
broker.terminate()
broker.wait()
print(f"{len(history)} registrations, {records} records, epoch {epoch}, {fenced} fenced, {strict} versions under "
      f"a level that changed; slowest answer {slowest[0]:.1f} s; tried again: {sum(retries.values())}")
for why, count in sorted(retries.items(), key=lambda r: -r[1])[:6]:
    print(f"  {count} {why}")
if slowest[0] > 20:
    problems.append(f"an answer took {slowest[0]:.1f} s")
if problems:
    sys.exit(f"seed {SEED}:\n" + "\n".join(problems[:12]))
