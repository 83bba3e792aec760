"""16 clients register at the same time: own schemas, the same schema in one subject and in many, and
versions of the same few subjects, while others delete and change levels.

    registry_writers.py HOST:PORT

One id for one schema, one schema for one id, versions without a hole, no id left out."""

import http.client
import json
import sys
import threading

HOST, PORT = sys.argv[1].split(":")
CLIENTS, ROUNDS = 16, 20
ids, versions, failures = {}, {}, []
lock = threading.Lock()


def ask(client, method, path, body=None):
    client.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
    answer = client.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status} {text!r}")
    return json.loads(text)


def record(name, field="a"):
    fields = [{"name": field, "type": "int", "default": 0}]
    return json.dumps({"type": "record", "name": name, "fields": fields})


def register(client, subject, schema):
    got = ask(client, "POST", f"/subjects/{subject}/versions", {"schema": schema})
    with lock:
        ids.setdefault(schema, set()).add(got["id"])
        versions.setdefault(subject, set()).add(got["version"])


def work(n):
    client = http.client.HTTPConnection(HOST, int(PORT), timeout=60)
    for i in range(ROUNDS):
        register(client, f"own{n}-{i}", record(f"Own{n}x{i}"))
        register(client, f"same{i}", record(f"Same{i}"))
        register(client, f"many{n}-{i}", record(f"Many{i}"))
        register(client, f"line{i % 4}", record("Line", f"f{n}x{i}"))
        if i % 5 == 0:
            ask(client, "PUT", f"/config/own{n}-{i}", {"compatibility": "NONE"})
            ask(client, "DELETE", f"/subjects/own{n}-{i}")


def guarded(n):
    try:
        work(n)
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        failures.append(str(error))


threads = [threading.Thread(target=guarded, args=(n,)) for n in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
failures += [f"{schema} has ids {found}" for schema, found in ids.items() if len(found) != 1]
used = sorted(found.pop() for found in ids.values())
if used != list(range(used[0], used[0] + len(used))):
    failures.append("an id stands for two schemas, or was left out")
for i in range(4):
    if versions[f"line{i}"] != set(range(1, CLIENTS * ROUNDS // 4 + 1)):
        failures.append(f"line{i} has the versions {sorted(versions[f'line{i}'])}")
if failures:
    sys.exit("\n".join(failures[:10]))
