#!/usr/bin/env python3
"""Random Avro schemas, changed readers and data, for two decoders that are to agree.

    avro_cases.py make COUNT SEED        lines "writer TAB reader TAB hex TAB broken?"
    avro_cases.py compare CASES OURS THEIRS

Types are of all kinds, nested and recursive; readers are the writer with fields dropped, added with
defaults, renamed by aliases, reordered, types promoted, put into unions or taken out, enum symbols
dropped. Some data are cut or have a byte changed. Blocks of arrays and maps come in both forms.
"""
import json
import random
import struct
import sys

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
PROMOTE = {"int": ["long", "float", "double"], "long": ["float", "double"], "float": ["double"],
           "string": ["bytes"], "bytes": ["string"]}
LOGICAL = [{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
           {"type": "string", "logicalType": "uuid"}, {"type": "int", "logicalType": "date"},
           {"type": "int", "logicalType": "time-millis"}, {"type": "long", "logicalType": "timestamp-micros"},
           {"type": "long", "logicalType": "local-timestamp-millis"}]
TEXTS = ["", "a", "grün", "日本", "\"q\\\"", "line\nend", "\u0001", "𝄞"]


class Cases:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.count = 0

    def name(self, stem):
        self.count += 1
        return f"{stem}{self.count}"

    # ---- schemas

    def schema(self, depth, inside=None, in_union=False):
        r = self.r
        roll = r.random()
        if depth <= 0 or roll < 0.35:
            return dict(r.choice(LOGICAL)) if r.random() < 0.15 else r.choice(PRIMITIVES)
        if roll < 0.5:
            if r.random() < 0.3:
                return {"type": "fixed", "name": self.name("F"), "size": 12, "logicalType": "duration"}
            return {"type": "fixed", "name": self.name("F"), "size": r.choice([0, 1, 4, 16])}
        if roll < 0.6:
            return {"type": "enum", "name": self.name("E"), "symbols": ["A", "B", "C", "D"][:r.randint(1, 4)]}
        if roll < 0.68:
            return {"type": "array", "items": self.schema(depth - 1, inside)}
        if roll < 0.76:
            return {"type": "map", "values": self.schema(depth - 1, inside)}
        if roll < 0.88 and not in_union:
            return self.union(depth, inside)
        return self.record(depth)

    def union(self, depth, inside):
        branches, kinds = [], set()
        for _ in range(self.r.randint(1, 4)):
            one = self.schema(depth - 1, inside, True)
            kind = one if isinstance(one, str) else one["type"] if one["type"] in PRIMITIVES + ["array", "map"] \
                else one["name"]
            if kind not in kinds:
                kinds.add(kind)
                branches.append(one)
        if inside and self.r.random() < 0.4 and inside not in kinds:
            branches.append(inside)
        return branches

    def record(self, depth):
        name = self.name(self.r.choice(["R", "n.R", "n.m.R"]))
        fields = [{"name": f"f{i}", "type": self.schema(depth - 1, name)} for i in range(self.r.randint(1, 4))]
        return {"type": "record", "name": name, "fields": fields}

    # ---- what a reader may have made of it

    def default_for(self, schema, known):
        if isinstance(schema, str) and schema in known:
            schema = known[schema]
        r = self.r
        if isinstance(schema, list):
            return self.default_for(schema[0], known)
        kind = schema if isinstance(schema, str) else schema["type"]
        if kind == "null":
            return None
        if kind == "boolean":
            return r.random() < 0.5
        if kind in ("int", "long"):
            return r.choice([0, -1, 2147483647])
        if kind in ("float", "double"):
            return r.choice([0.0, -1.5, 1e10])
        if kind == "bytes":
            return r.choice(["", "\u00ff\u0000a"])
        if kind == "string":
            return r.choice(TEXTS)
        if kind == "fixed":
            return "\u00fe" * schema["size"]
        if kind == "enum":
            return schema["symbols"][-1]
        if kind == "array":
            return []
        if kind == "map":
            return {"k": self.default_for(schema["values"], known)} if r.random() < 0.5 else {}
        return {f["name"]: self.default_for(f["type"], known) for f in schema["fields"]}

    def change(self, schema, depth=0):
        r = self.r
        if r.random() < 0.06 and not isinstance(schema, list):
            extra = r.choice(["null", "boolean", "double", "string"])
            kind = schema if isinstance(schema, str) else schema.get("type")
            if kind != extra:
                return r.choice([[extra, self.change(schema, depth)], [self.change(schema, depth), extra],
                                 [self.change(schema, depth)]]) if not isinstance(schema, list) else schema
        if isinstance(schema, list):
            out = [b if isinstance(b, list) else self.change_no_union(b, depth) for b in schema]
            if r.random() < 0.3:
                r.shuffle(out)
            if r.random() < 0.15 and len(out) > 1:
                out.pop()
            return out
        return self.change_no_union(schema, depth)

    def change_no_union(self, schema, depth):
        r = self.r
        if isinstance(schema, str):
            if schema in PROMOTE and r.random() < 0.2:
                return r.choice(PROMOTE[schema])
            return "int" if r.random() < 0.01 else schema
        out = dict(schema)
        kind = out["type"]
        if kind == "array":
            out["items"] = self.change(out["items"], depth + 1)
        elif kind == "map":
            out["values"] = self.change(out["values"], depth + 1)
        elif kind == "enum":
            if r.random() < 0.3:
                out["symbols"] = r.sample(out["symbols"], r.randint(1, len(out["symbols"])))
                if r.random() < 0.6:
                    out["default"] = out["symbols"][0]
        elif kind == "fixed":
            if r.random() < 0.03 and "logicalType" not in out:
                out["size"] += 1
        elif kind == "record":
            out["fields"] = self.change_fields(out["fields"], depth)
        if kind in ("enum", "fixed") and r.random() < 0.08:
            out["name"], out["aliases"] = "X" + out["name"], [out["name"]] if r.random() < 0.8 else []
        return out

    def change_fields(self, fields, depth):
        r, out = self.r, []
        for field in fields:
            if r.random() < 0.12 and len(fields) > 1 and (out or field is not fields[-1]):
                continue
            new = {"name": field["name"], "type": self.change(field["type"], depth + 1)}
            if r.random() < 0.1:
                new["aliases"], new["name"] = [new["name"]], "x" + new["name"]
            out.append(new)
        if r.random() < 0.3:
            type_ = self.schema(1)
            if type_ != []:
                new = {"name": self.name("new"), "type": type_}
                if r.random() < 0.9:
                    new["default"] = self.default_for(type_, {})
                out.append(new)
        if r.random() < 0.3:
            r.shuffle(out)
        return out

    # ---- data

    def varint(self, n):
        n = (n << 1) ^ (n >> 63)
        n &= (1 << 64) - 1
        out = b""
        while n >= 0x80:
            out += bytes([n & 0x7F | 0x80])
            n >>= 7
        return out + bytes([n])

    def blocks(self, items):
        out = b""
        while items:
            n = self.r.randint(1, len(items))
            block = b"".join(items[:n])
            out += self.varint(-n) + self.varint(len(block)) + block if self.r.random() < 0.4 else \
                self.varint(n) + block
            items = items[n:]
        return out + b"\0"

    def datum(self, schema, known, depth=0):
        r = self.r
        if isinstance(schema, str) and schema in known:
            schema = known[schema]
        if isinstance(schema, list):
            i = r.randrange(len(schema))
            if depth > 6:  # out of recursive types
                i = next((k for k, b in enumerate(schema) if isinstance(b, str) and b in PRIMITIVES), i)
            return self.varint(i) + self.datum(schema[i], known, depth + 1)
        kind = schema if isinstance(schema, str) else schema["type"]
        if kind == "null":
            return b""
        if kind == "boolean":
            return bytes([r.randint(0, 1)])
        if kind == "int":
            return self.varint(r.choice([0, 1, -1, 63, 64, -65, 2**31 - 1, -2**31, r.randint(-10**6, 10**6)]))
        if kind == "long":
            return self.varint(r.choice([0, -1, 2**63 - 1, -2**63, 2**53 + 1, r.randint(-10**15, 10**15)]))
        if kind == "float":
            return struct.pack("<f", r.choice([0.0, -0.0, 1.5, 3.4e38, float("inf"), float("nan"), r.uniform(-1, 1)]))
        if kind == "double":
            return struct.pack("<d", r.choice([0.0, -0.0, 1e300, float("-inf"), float("nan"), r.uniform(-9, 9)]))
        if kind == "bytes":
            n = r.choice([0, 1, 5])
            return self.varint(n) + bytes(r.randrange(128) for _ in range(n))
        if kind == "string":
            text = r.choice(TEXTS).encode()
            return self.varint(len(text)) + text
        if kind == "fixed":
            return bytes(r.randrange(256) for _ in range(schema["size"]))
        if kind == "enum":
            return self.varint(r.randrange(len(schema["symbols"])))
        count = 0 if depth > 5 else r.choice([0, 1, 2, 3])
        if kind == "array":
            return self.blocks([self.datum(schema["items"], known, depth + 1) for _ in range(count)])
        if kind == "map":
            return self.blocks([self.varint(1) + bytes([97 + i]) + self.datum(schema["values"], known, depth + 1)
                                for i in range(count)])
        return b"".join(self.datum(f["type"], known, depth + 1) for f in schema["fields"])

    def case(self):
        self.count = 0
        writer = self.schema(4)
        while writer == []:
            writer = self.schema(4)
        known = {}
        collect(writer, known)
        try:
            data = self.datum(writer, known)
        except RecursionError:
            return None
        if len(data) > 4000:
            return None
        reader = self.change(writer) if self.r.random() < 0.85 else writer
        sound = data
        roll = self.r.random()
        if roll < 0.08 and data:
            data = data[:self.r.randrange(len(data))]
        elif roll < 0.16 and data:
            at = self.r.randrange(len(data))
            data = data[:at] + bytes([self.r.randrange(256)]) + data[at + 1:]
        return f"{json.dumps(writer)}\t{json.dumps(reader)}\t{data.hex()}\t{'' if data == sound else 'broken'}"


def collect(schema, known):
    if isinstance(schema, list):
        for branch in schema:
            collect(branch, known)
    elif isinstance(schema, dict):
        if "name" in schema:
            known[schema["name"]] = schema
        for inner in [schema.get("items"), schema.get("values")] + [f["type"] for f in schema.get("fields", [])]:
            collect(inner, known)


def close(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b))
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return a == b or abs(a - b) <= 1e-6 * max(abs(a), abs(b)) or \
            max(abs(a), abs(b)) < 1e-37 and struct.pack("<f", a) == struct.pack("<f", b)
    return a == b


def parsed(text):
    try:
        return json.loads(text or "null")  # Java's encoder writes nothing for a null alone
    except ValueError:
        return ["not JSON", text]


def compare(cases, ours, theirs):
    lines = [open(name, encoding="utf-8").read().split("\n") for name in (cases, ours, theirs)]
    read = refused = stricter = 0
    wrong = []
    for case, a, b in zip(*lines):
        if not case.strip():
            continue
        if a.startswith("!") and b.startswith("!"):
            refused += 1
        elif case.endswith("broken") and a[:1] in "!?":
            stricter += 1  # Java reads something there: no text, no boolean, a wrong size, a key twice
        elif a[:1] in "!?" or b.startswith("!") or not close(parsed(a), parsed(b)):
            wrong.append((case, a, b))
        else:
            read += 1
    for case, a, b in wrong[:30]:
        print(f"{case}\n  ours   {a}\n  theirs {b}")
    print(f"{read} read alike, {refused} refused by both, {stricter} broken ones refused by the first alone, {len(wrong)} different")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "make":
        cases = Cases(int(sys.argv[3]))
        left = int(sys.argv[2])
        while left:
            line = cases.case()
            if line:
                print(line)
                left -= 1
    else:
        sys.exit(compare(*sys.argv[2:5]))
