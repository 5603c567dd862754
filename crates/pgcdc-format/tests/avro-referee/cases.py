"""Writes the cases of ../golden-avro/cases.jsonl, without answers, from the workspace's recordings of Debezium.

usage: cases.py <tests/conformance>
"""
import glob
import json
import os
import sys

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden-avro", "cases.jsonl")
CASES = []


def dumps(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def case(name, schema, payload, **props):
    CASES.append({"name": name, "props": props, "text": dumps({"schema": schema, "payload": payload})})


def f(kind, field=None, optional=False, **more):
    schema = {"type": kind, **more, "optional": optional}
    if field:
        schema["field"] = field
    return schema


def struct(name, fields, field=None, optional=False, **more):
    schema = f("struct", field, optional, fields=fields, **more)
    if name:
        schema["name"] = name
    return schema


def records(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*", "out.*.jsonl"))):
        # Numbers in place of base64 lose a decimal's scale.
        if os.path.exists(os.path.join(os.path.dirname(path), "volatile.json")) or "conv_" in path or "numeric_json" in path:
            continue
        for line in open(path, encoding="utf-8"):
            record = json.loads(line)
            try:
                yield path, json.loads(record["key"] or "null"), json.loads(record["value"] or "null")
            except (KeyError, ValueError, TypeError):
                continue


def main(folder):
    # Every schema of a column that Debezium was seen to write, with up to three of its values, in structs of 40.
    columns, envelopes = {}, {}
    for path, key, value in records(folder):
        if not (isinstance(value, dict) and value.get("schema") and value.get("payload")):
            continue
        schema = value["schema"]
        if not (schema.get("name") or "").endswith(".Envelope"):
            continue
        kind = os.path.basename(os.path.dirname(path))
        if kind in ("composite_key", "dml_basic", "types_point", "tx_metadata", "types_numeric", "schema_comments"):
            size = len(dumps(value))
            if size < 9000:
                envelopes.setdefault((kind, value["payload"]["op"]), (key, value))
        for row in ("before", "after"):
            of = [field for field in schema["fields"] if field["field"] == row]
            payload = value["payload"].get(row)
            if not of or not payload:
                continue
            for column in of[0]["fields"]:
                bare = {k: v for k, v in column.items() if k != "field"}
                values = columns.setdefault(dumps(bare), [])
                item = payload.get(column["field"])
                if isinstance(item, dict) and isinstance(item.get("vector"), list):
                    item["vector"].sort()  # Connect's own reader would put them in another order
                # Connect's own reader takes these words for 0.
                special = any(word in dumps(item) for word in ('"NaN"', 'Infinity"')) and column["type"] != "string"
                if item not in values and len(dumps(item)) < 600 and not special:
                    values.append(item)
    items = sorted(columns.items())
    for at in range(0, len(items), 40):
        piece = items[at:at + 40]
        fields = [{**json.loads(schema), "field": f"f{n}"} for n, (schema, _) in enumerate(piece)]
        for turn in range(3):
            payload = {f"f{n}": (values[min(turn, len(values) - 1)] if values else None) for n, (_, values) in enumerate(piece)}
            case(f"columns {at} {turn}", struct(f"p.s.t{at}.Value", fields), payload)
        case(f"columns {at} plain", struct(f"p.s.t{at}.Value", fields), payload, **{"connect.meta.data": "false"})
        case(f"columns {at} enhanced", struct(f"p.s.t{at}.Value", fields), payload, **{"enhanced.avro.schema.support": "true"})
    for (kind, op), (key, value) in sorted(envelopes.items()):
        case(f"{kind} {op} value", value["schema"], value["payload"])
        if key:
            case(f"{kind} {op} key", key["schema"], key["payload"])
    # Names, and structs without one.
    row = [f("int32", "id"), f("string", "v", True)]
    for name in ("a.b-c.Value", "a.V-x", "Value", "ü.é.Value", "1.2.Value", "a.2b", "a..b", "", "int", "x.int"):
        case(f"name {name}", struct(name, row), {"id": 1, "v": None})
    for field in ("a b", "a-b", "1a", "ü", "", "a$b"):
        case(f"field {field}", struct("n.V", [f("int32", field or "x"), f("int64", "y")] if field else row), {field: 1, "y": -1} if field else {"id": 1})
    nameless = struct(None, [f("int32", "x")], "a")
    other = struct(None, [f("int64", "y")], "b", True)
    case("nameless", struct(None, [nameless, other, {**nameless, "field": "c"}]), {"a": {"x": 1}, "b": None, "c": {"x": 2}})
    point = lambda field, optional, **more: struct("g.Point", [f("double", "x")], field, optional, version=1, doc="A point", **more)
    case("one type twice", struct("r.V", [point("a", True), point("b", False), point("c", True)]), {"a": None, "b": {"x": 1.5}, "c": {"x": 2}})
    case("required first", struct("r.V", [point("b", False), point("a", True)]), {"a": None, "b": {"x": 1.5}})
    of = lambda n: {"parameters": {"__debezium.source.column.type": n}}
    case("parameters differ", struct("r.V", [point("a", True, **of("A")), point("b", True, **of("B"))]), {"a": {"x": 0.5}, "b": None})
    case("same namespace", struct("r.V", [struct("r.W", row, "w"), struct("r.s.X", row, "x", True)]), {"w": {"id": 1}, "x": {"id": 2, "v": "z"}})
    # Values and schemas at the top.
    for kind, payload in (("int8", -8), ("int16", 300), ("int32", -1), ("int64", 1 << 62), ("float", 1.5), ("double", -2.25), ("boolean", True), ("string", "ü😀\n\"\\\u0001"), ("bytes", "AP+A")):
        case(f"top {kind}", f(kind), payload)
        case(f"top optional {kind}", f(kind, None, True, name="my.Name", version=3, doc="d\"oc", parameters={"b": "2", "a": "1"}), payload)
    case("array", {**f("array"), "items": f("string", None, True)}, ["a", None, ""])
    case("map", {**f("map"), "keys": f("string"), "values": f("int32", None, True)}, {"k": 1})
    case("map of numbers", {**f("map"), "keys": f("int16"), "values": f("double")}, [[1, 0.5], [2, 1.5]])
    case("map of numbers, named", {**f("map"), "keys": f("int16"), "values": f("double", None, True), "name": "m.M"}, [[1, 0.5]])
    case("map of optional keys", struct("m.V", [{**f("map", "m", True), "keys": f("string", None, True), "values": f("int32")}]), {"m": {"a": 1}})
    case("empty", struct("e.V", [{**f("array", "a"), "items": f("int32")}, {**f("map", "m"), "keys": f("string"), "values": f("string")}]), {"a": [], "m": {}})
    # Defaults.
    for optional in (False, True):
        fields = [
            f("int8", "i8", optional, default=-1), f("int16", "i16", optional, default=7), f("int64", "i64", optional, default=1 << 53),
            f("float", "f", optional, default=0.1), f("double", "d", optional, default=1e22), f("double", "e", optional, default=0.001),
            f("boolean", "b", optional, default=True), f("string", "s", optional, default="ü😀\n\"\\\u0001"), f("bytes", "y", optional, default="AP+A"),
            f("bytes", "dec", optional, name="org.apache.kafka.connect.data.Decimal", version=1, parameters={"scale": "2", "connect.decimal.precision": "10"}, default="erc="),
            f("bytes", "dec2", optional, name="org.apache.kafka.connect.data.Decimal", version=1, parameters={"scale": "2"}, default="erc="),
            f("bytes", "dec3", optional, name="org.apache.kafka.connect.data.Decimal", version=1, parameters={"scale": "12", "connect.decimal.precision": "10"}),
            f("int32", "date", optional, name="org.apache.kafka.connect.data.Date", version=1, default=19000),
            f("int32", "time", optional, name="org.apache.kafka.connect.data.Time", version=1, default=1000),
            f("int64", "ts", optional, name="org.apache.kafka.connect.data.Timestamp", version=1, default=1700000000123),
        ]
        payload = {"dec3": "AQ=="}  # required fields, too: null stands for the default
        full = {"i8": 1, "i16": 1, "i64": 1, "f": 1, "d": 1, "e": 1, "b": False, "s": "", "y": "", "dec": "AQ==", "dec2": "AQ==", "dec3": "AQ==", "date": 1, "time": 1, "ts": 1}
        case(f"defaults {optional}", struct("d.V", fields), payload)
        case(f"defaults {optional}, set", struct("d.V", fields), full)
        case(f"defaults {optional}, plain", struct("d.V", fields), full, **{"connect.meta.data": "false"})
    with open(OUT, "w", encoding="utf-8") as out:
        for test in CASES:
            out.write(dumps(test) + "\n")


main(sys.argv[1])
