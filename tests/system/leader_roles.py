"""Two registries on one topic: who leads, what a follower does, and another product that has the group.

    leader_roles.py WEIR FOLDER"""

import http.client
import json
import os
import re
import signal
import socket
import struct
import sys
import time

from registries import FOLDER, ask, check, health, spawn, until


def registry(name, *more, listen="127.0.0.1:0"):
    return spawn(name, ["registry", "--listen", listen, "--bootstrap", bootstrap, *more],
                 r"registry\.listening http://(\S+)")


def role(address, wanted, limit=30):
    return until(f"{address} becomes {wanted}", limit,
                 lambda: (h := health(address)).get("status") == "ok" and h["role"] == wanted and h)


def register(address, subject, text, refs=(), **headers):
    body = {"schema": text, "references": list(refs)}
    return ask(address, "POST", f"/subjects/{subject}/versions", body, **headers)


class OtherProduct:
    """A member of the group with another protocol, as Confluent's registry is one."""

    def __init__(self):
        host, port = bootstrap.split(":")
        self.socket, self.number = socket.create_connection((host, int(port))), 0
        text, many = self.text, struct.pack(">i", 1)
        body = text("schema-registry") + struct.pack(">ii", 10000, 10000) + text("") + text("sr") + many
        # the registry that was killed is a member until its session ends
        answer = until("JoinGroup of another product", 30,
                       lambda: (a := self.call(11, 1, body + text("v0") + struct.pack(">i", 2) + b"{}"))[:2] == b"\0\0" and a)
        self.generation = struct.unpack(">i", answer[2:6])[0]
        at, parts = 6, []
        for _ in range(3):
            size = struct.unpack(">h", answer[at:at + 2])[0]
            parts.append(answer[at + 2:at + 2 + size].decode())
            at += 2 + size
        self.member = parts[2]
        self.call(14, 0, text("schema-registry") + struct.pack(">i", self.generation) + text(self.member) + many +
                  text(self.member) + struct.pack(">i", 2) + b"{}")

    @staticmethod
    def text(text):
        return struct.pack(">h", len(text)) + text.encode()

    def call(self, api, version, body):
        self.number += 1
        request = struct.pack(">hhi", api, version, self.number) + self.text("other") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        size, answer = struct.unpack(">i", self.socket.recv(4))[0], b""
        while len(answer) < size:
            answer += self.socket.recv(size - len(answer))
        return answer[4:]

    def leave(self):
        self.call(13, 0, self.text("schema-registry") + self.text(self.member))
        self.socket.close()


broker, bootstrap = spawn("broker", ["broker", "--data", os.path.join(FOLDER, "roles"), "--listen", "127.0.0.1:0"],
                          r"weir\.ready broker (\S+)")
first, leader = registry("first")
check("epoch of the first", 1, role(leader, "leader")["epoch"])
second, follower = registry("second")
told = role(follower, "follower")
check("the follower's leader", f"http://{leader}", told["leader"])

# Through the follower: what it has just been told it knows, without a pause.
check("register", 200, register(follower, "money", '{"type":"fixed","name":"x.M","size":8}')[0])
for n in range(20):
    text = json.dumps({"type": "fixed", "name": f"x.N{n}", "size": n + 1})
    check("register", 200, register(follower, f"part{n}", text)[0])
    check("read it", 200, ask(follower, "GET", f"/subjects/part{n}/versions/latest")[0])
    whole = json.dumps({"type": "array", "items": f"x.N{n}"})
    check("refer to it", 200, register(follower, f"whole{n}", whole,
                                       [{"name": f"x.N{n}", "subject": f"part{n}", "version": 1}])[0])
check("an error of the leader", (409, "application/json"),
      register(follower, "money", '"int"', Accept="application/json")[:2])
check("another", 42201, register(follower, "money", '{"type":"nope"}')[2]["error_code"])
check("a setting", {"compatibility": "NONE"}, ask(follower, "PUT", "/config/money", {"compatibility": "none"})[2])
check("it counts at once", 200, register(follower, "money", '"int"')[0])
check("a deletion", [1, 2], ask(follower, "DELETE", "/subjects/money?permanent=false")[2])
check("with its query", [1, 2], ask(follower, "DELETE", "/subjects/money?permanent=true")[2])
check("a path as it was sent", 200, register(follower, "a%2Fb%20c", '"int"')[0])
check("its subject", ["a/b c"], ask(leader, "GET", "/subjects?subjectPrefix=a%2Fb")[2])
check("a context", 200, ask(follower, "POST", "/contexts/.c/subjects/s/versions", {"schema": '"int"'})[0])
check("in its context", [":.c:s"], ask(leader, "GET", "/subjects?subjectPrefix=:.c:")[2])
check("forwarded twice", 50003, register(follower, "twice", '"int"', X_Forward="true")[2]["error_code"])
metrics = http.client.HTTPConnection(follower)
metrics.request("GET", "/metrics")
if not re.search(r"weir_registry_forwarded_total [1-9]", metrics.getresponse().read().decode()):
    sys.exit("nothing is counted as forwarded")

# Options that a follower and its leader do not have alike are told.
check("no warning", None, health(follower).get("warning"))
check("options", health(leader)["options"], health(follower)["options"])
stranger, warned = registry("stranger", "--set", "max.request.bytes=1M", "--set", "schema.compatibility.level=full",
                            "--set", "leader.eligibility=false")
role(warned, "follower")
check("a warning", f"options differ from those of the leader http://{leader}: schema.compatibility.level is "
      '"FULL" here, "BACKWARD" there; max.request.bytes is 1048576 here, 10485760 there', health(warned).get("warning"))
stranger.terminate()
stranger.wait()
if "registry.options-differ" not in open(os.path.join(FOLDER, "stranger.log")).read():
    sys.exit("the log does not say that options differ")

# A leader that is killed: no write waits for the group's session.
first.send_signal(signal.SIGKILL)
first.wait()
began = time.monotonic()
check("after kill -9", 200, register(follower, "after", '"int"')[0])
if (took := time.monotonic() - began) > 5:
    sys.exit(f"the take-over took {took:.1f} s")
check("epoch of the second", 2, role(follower, "leader")["epoch"])
second.terminate()
second.wait()

# One that may not lead waits for one that may.
third, waits = registry("third", "--set", "leader.eligibility=false", "--set", "leader.wait.ms=300")
until("it reads", 30, lambda: ask(waits, "GET", "/subjects")[0] == 200)
check("no leader", (500, 50004), (lambda a: (a[0], a[2]["error_code"]))(register(waits, "nobody", '"int"')))
check("not ready", 503, ask(waits, "GET", "/health")[0])
fourth, leader = registry("fourth")
role(leader, "leader")
role(waits, "follower")
check("now it forwards", 200, register(waits, "nobody", '"int"')[0])
fourth.send_signal(signal.SIGSTOP)
until("not ready where the leader is silent", 30, lambda: (h := health(waits)).get("status") == "leader-not-ready" and
      h["message"].startswith(f"the leader http://{leader} does not answer"))
fourth.send_signal(signal.SIGCONT)
role(waits, "follower")
for process in (third, fourth):
    process.terminate()
    process.wait()

# Another product has the group: it may write, so we do not.
other = OtherProduct()
fifth, stays = registry("fifth", "--set", "leader.wait.ms=300")
found = until("it says so", 30, lambda: "another product" in health(stays).get("message", "") and health(stays))
check("its state", ("no-leader", "follower"), (found["status"], found["role"]))
check("reads", 200, ask(stays, "GET", "/subjects/nobody/versions/1")[0])
check("writes", 50004, register(stays, "other", '"int"')[2]["error_code"])
other.leave()
role(stays, "leader")
check("afterwards", 200, register(stays, "other", '"int"')[0])
fifth.terminate()
check("a clean end", 0, fifth.wait())
broker.terminate()
broker.wait()
