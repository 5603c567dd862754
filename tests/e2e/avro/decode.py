"""Decodes Confluent's wire format with fastavro, as a reader that shares nothing with pgcdc.

Lines in: {"schema": Avro's JSON, "bytes": hex of a key or a value}. Lines out: what Connect's JSON would be.
"""
import base64
import io
import json
import struct
import sys

import fastavro
import fastavro.read

# Logical types as the numbers and bytes that they are.
fastavro.read.LOGICAL_READERS.clear()


def single(value):
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            return float(text)
    return value


def show(schema, value, named):
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        return None if value is None else show(branches[0], value, named)
    if isinstance(schema, str):
        schema = named.get(schema, {"type": schema})
    kind = schema["type"]
    if kind == "record":
        return {f["name"]: show(f["type"], value[f["name"]], named) for f in schema["fields"]}
    if kind == "array":
        items = [show(schema["items"], item, named) for item in value]
        entry = schema["items"] if isinstance(schema["items"], dict) else {}
        if entry.get("name", "").endswith("MapEntry"):
            return [[item["key"], item["value"]] for item in items]
        return items
    if kind == "map":
        return {key: show(schema["values"], item, named) for key, item in value.items()}
    if kind == "bytes":
        return base64.b64encode(value).decode()
    if kind in ("float", "double"):
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        return single(value) if kind == "float" else value
    return value


def main():
    parsed = {}
    for line in sys.stdin:
        item = json.loads(line)
        text = item["schema"]
        if text not in parsed:
            named = {}
            parsed[text] = (fastavro.parse_schema(json.loads(text), named_schemas=named), named)
        schema, named = parsed[text]
        data = io.BytesIO(bytes.fromhex(item["bytes"]))
        value = fastavro.schemaless_reader(data, schema)
        rest = data.read()
        assert not rest, f"{len(rest)} bytes behind the value"
        print(json.dumps(show(schema, value, named)))


main()
