"""Registries that announce a wrong URL, or one URL for two: they say so, and do not take the lead from each other.

    leader_url.py WEIR FOLDER"""

import os

from registries import FOLDER, ask, check, health, spawn, until


def registry(name, listen, topic, host=None):
    more = ["--set", f"host.name={host}"] if host else []
    return spawn(name, ["registry", "--listen", listen, "--bootstrap", bootstrap, "--set", f"kafkastore.topic={topic}",
                        "--set", f"schema.registry.group.id={topic}", "--set", "leader.wait.ms=1500", *more],
                 r"registry\.listening http://(\S+)")


def leads(address):
    return until(f"{address} leads", 30, lambda: (h := health(address)).get("status") == "ok" and h["role"] == "leader" and h)


def says(address, status, text):
    return until(f"{address} says {text}", 30, lambda: (h := health(address)).get("status") == status and
                 text in h.get("message", "") and h)


def register(address, subject):
    status, _, answer = ask(address, "POST", f"/subjects/{subject}/versions", {"schema": '"int"'})
    return status if status == 200 else answer["error_code"], answer.get("message", "")


def stays(leader, epoch, follower, code, text):
    """Writes of the follower fail with a reason, those of the leader do not, and nobody takes the lead."""
    for n in range(3):
        found = register(follower, f"astray{n}")
        check(f"a write that finds no way, {found[1]}", (code, True), (found[0], text in found[1]))
        check("a write of the leader", (200, ""), register(leader, f"straight{n}"))
    check("the epoch", epoch, leads(leader)["epoch"])


def end(*processes):
    for process in processes:
        process.terminate()
    for process in processes:
        check("a clean end", 0, process.wait())


broker, bootstrap = spawn("broker", ["broker", "--data", os.path.join(FOLDER, "url"), "--listen", "127.0.0.1:0"],
                          r"weir\.ready broker (\S+)")

# One URL for two, which leads to the first: the second does not lead.
first, leader = registry("first", "127.0.0.1:0", "_one", "localhost")
port = leader.rsplit(":", 1)[1]
epoch = leads(leader)["epoch"]
second, twin = registry("second", f"127.0.0.2:{port}", "_one", "localhost")
says(twin, "no-leader", "Another process that runs announces the URL of this one")
until("the log says so", 10, lambda: "registry.same-url" in open(os.path.join(FOLDER, "second.log")).read())
check("reads go on", 200, ask(twin, "GET", "/subjects")[0])
stays(leader, epoch, twin, 50004, "host.name")
end(first, second)

# … and to the second: each may lead once, then the one that the group names.
first, leader = registry("first", "127.0.0.2:0", "_two", "localhost")
port = leader.rsplit(":", 1)[1]
leads(leader)
second, twin = registry("second", f"127.0.0.1:{port}", "_two", "localhost")
until("both say so", 30, lambda: all("announces the URL of this one" in health(a).get("message", "") for a in (leader, twin)))
epoch = until("one leads", 30, lambda: [h for a in (leader, twin) if (h := health(a))["role"] == "leader"])[0]["epoch"]
who, other = (leader, twin) if health(leader)["role"] == "leader" else (twin, leader)
stays(who, epoch, other, 50004, "host.name")
end(first, second)

# A URL at which nothing listens: who asks there takes the lead once, not again and again.
first, leader = registry("first", "127.0.0.1:0", "_three", "127.0.0.3")
leads(leader)
second, other = registry("second", "127.0.0.1:0", "_three")
until("both have led", 30, lambda: health(other).get("epoch", 0) >= 3)
epoch = leads(leader)["epoch"]
says(other, "leader-not-ready", "does not answer")
stays(leader, epoch, other, 50003, "refused")
end(first, second)

# A URL that leads to another registry: nothing is written there.
first, leader = registry("first", "127.0.0.1:0", "_four", "127.0.0.4")
port = leader.rsplit(":", 1)[1]
stranger, elsewhere = registry("stranger", f"127.0.0.4:{port}", "_five")
leads(elsewhere)
epoch = leads(leader)["epoch"]
second, other = registry("second", "127.0.0.1:0", "_four")
says(other, "leader-not-ready", "leads to another process: set its option host.name")
stays(leader, epoch, other, 50003, "host.name")
check("nothing is there", [], ask(elsewhere, "GET", "/subjects")[2])
end(first, second, stranger)
broker.terminate()
broker.wait()
