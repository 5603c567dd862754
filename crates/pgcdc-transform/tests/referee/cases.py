"""Writes the records (../golden/inputs.json) and the cases, without answers, a file a transform.

usage: cases.py <folder of Debezium's recordings>   (the workspace's tests/golden has the same form)
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "golden")
K = "org.apache.kafka.connect.transforms."
D = "io.debezium.transforms."
P = K + "predicates."


def recorded(folder, name, pick):
    with open(os.path.join(folder, name)) as lines:
        records = [json.loads(line) for line in lines]
    record = [r for r in records if pick(r)][0]
    return {"topic": record["topic"], "key": record["key"], "value": record["value"]}


def op(letter):
    return lambda r: r["value"] and json.loads(r["value"])["payload"].get("op") == letter


# -- schemas and records of our own -----------------------------------------------------------------------------


def f(kind, field=None, optional=False, **more):
    schema = {"type": kind}
    for part in ("items", "keys", "values", "fields"):
        if part in more:
            schema[part] = more.pop(part)
    schema["optional"] = optional
    schema.update({key: more[key] for key in ("name", "version", "doc", "parameters", "default") if key in more})
    if field:
        schema["field"] = field
    return schema


def struct(name, fields, field=None, optional=False, **more):
    return f("struct", field, optional, fields=fields, name=name, **more)


def text(schema, payload):
    return json.dumps({"schema": schema, "payload": payload}, separators=(",", ":"), ensure_ascii=False)


SOURCE = struct("io.debezium.connector.postgresql.Source", [
    f("string", "version"), f("string", "connector"), f("string", "name"), f("int64", "ts_ms"),
    f("string", "snapshot", True, name="io.debezium.data.Enum", version=1,
      parameters={"allowed": "true,first,last,false"}, default="false"),
    f("string", "db"), f("string", "sequence", True), f("int64", "ts_us", True), f("int64", "ts_ns", True),
    f("string", "schema"), f("string", "table"), f("int64", "txId", True), f("int64", "lsn", True),
], "source", version=1)


def source(table):
    return {"version": "3.7.0.Final", "connector": "postgresql", "name": "shop", "ts_ms": 1700000000123,
            "snapshot": "false", "db": "shop", "sequence": "[null,\"1\"]", "ts_us": 1700000000123456,
            "ts_ns": 1700000000123456000, "schema": "public", "table": table, "txId": 7, "lsn": 99}


TRANSACTION = struct("event.block", [
    f("string", "id"), f("int64", "total_order"), f("int64", "data_collection_order")], "transaction", True, version=1)


def event(table, columns, before, after, letter, key=None, **more):
    topic = "shop.public." + table
    row = lambda field: struct(topic + ".Value", columns, field, True)
    schema = struct(topic + ".Envelope", [
        row("before"), row("after"), SOURCE, TRANSACTION, f("string", "op"), f("int64", "ts_ms", True),
        f("int64", "ts_us", True), f("int64", "ts_ns", True)], version=2)
    payload = {"before": before, "after": after, "source": source(table),
               "transaction": {"id": "7:99", "total_order": 1, "data_collection_order": 1} if key == 1 else None,
               "op": letter, "ts_ms": 1700000000456, "ts_us": 1700000000456789, "ts_ns": 1700000000456789000}
    record = {"topic": topic, "key": None, "value": text(schema, payload)}
    if key is not None:
        record["key"] = text(struct(topic + ".Key", [f("int32", "id", default=0)]), {"id": key})
    return dict(record, **more)


C = "org.apache.kafka.connect.data."
T = "io.debezium.time."
COLUMNS = [
    f("int32", "id", default=0), f("int16", "small", True), f("int64", "big", True), f("float", "single", True),
    f("double", "real", True), f("boolean", "flag", True), f("string", "name", True, default="nobody"),
    f("string", "note", True), f("bytes", "raw", True),
    f("bytes", "price", True, name=C + "Decimal", version=1,
      parameters={"scale": "2", "connect.decimal.precision": "10"}),
    f("int32", "born", True, name=T + "Date", version=1),
    f("int64", "micro", True, name=T + "MicroTimestamp", version=1),
    f("int64", "nano", True, name=T + "NanoTimestamp", version=1),
    f("int64", "milli", True, name=T + "Timestamp", version=1),
    f("string", "zoned", True, name=T + "ZonedTimestamp", version=1),
    f("string", "zonedtime", True, name=T + "ZonedTime", version=1),
    f("int64", "cts", True, name=C + "Timestamp", version=1),
    f("int32", "cdate", True, name=C + "Date", version=1),
    f("int32", "ctime", True, name=C + "Time", version=1),
    f("array", "tags", True, items=f("string", None, True)),
]
ROW = {"id": 5, "small": -300, "big": 9007199254740993, "single": 1.5, "real": -2.75e-7, "flag": True,
       "name": "Zoë \"Z\" \\ 😀", "note": "12", "raw": "AP9/", "price": "MDk=", "born": 19000,
       "micro": 1711846800123456, "nano": 1711846800123456789, "milli": -86399999,
       "zoned": "2024-03-31T00:30:00.120000Z", "zonedtime": "10:30:00.5Z", "cts": 1711846800123, "cdate": 19813,
       "ctime": 3723004, "tags": ["a", None, "b\"c"]}
OTHER = dict(ROW, id=5, small=7, name=None, note="later", raw="AQ==", tags=[], price=None, big=None)
NULLS = {"id": 6, **{c["field"]: None for c in COLUMNS[1:]}}

OUTBOX = [
    f("string", "id", name="io.debezium.data.Uuid", version=1), f("string", "aggregatetype"),
    f("string", "aggregateid"), f("string", "type"),
    f("string", "payload", True, name="io.debezium.data.Json", version=1),
    f("int64", "ts", True, name=T + "MicroTimestamp", version=1), f("int32", "ver", True), f("int32", "part", True),
    f("string", "tenant", True), f("int64", "plain", True),
]


def outbox(payload, kind="order", letter="c", **more):
    row = {"id": "00000000-0000-0000-0000-000000000001", "aggregatetype": kind, "aggregateid": "o1",
           "type": "Created", "payload": payload, "ts": 1700000000123456, "ver": 1, "part": 3, "tenant": "t1",
           "plain": 5}
    row.update(more)
    both = {"c": (None, row), "r": (None, row), "u": (row, row), "d": (row, None)}[letter]
    return event("outbox", OUTBOX, both[0], both[1], letter, 1)


def inputs(golden):
    of = lambda name: os.path.join(golden, name)
    dml = of("dml_basic")
    found = {
        "create": recorded(dml, "out.schemas.jsonl", op("c")),
        "update": recorded(dml, "out.schemas.jsonl", op("u")),
        "delete": recorded(dml, "out.schemas.jsonl", op("d")),
        "tombstone": recorded(dml, "out.schemas.jsonl", lambda r: r["value"] is None),
        "truncate": recorded(of("dml_truncate"), "out.schemas.jsonl", op("t")),
        "heartbeat": recorded(of("heartbeat"), "out.schemas.jsonl", lambda r: True),
        "flat": recorded(of("smt_unwrap"), "out.schemas.jsonl", lambda r: r["value"]),
        "message": recorded(of("message_logical"), "out.schemas.jsonl", lambda r: r["topic"].endswith(".message")),
        "transaction": recorded(of("tx_metadata"), "out.schemas.jsonl", lambda r: r["topic"].endswith(".transaction")),
        "defaults": recorded(of("types_defaults"), "out.no_default_null.jsonl", lambda r: r["value"]),
        "read": event("items", COLUMNS, None, ROW, "r", 5),
        "insert": event("items", COLUMNS, None, ROW, "c", 1),
        "change": event("items", COLUMNS, ROW, OTHER, "u", 5),
        "remove": event("items", COLUMNS, ROW, None, "d", 5),
        "empty": event("items", COLUMNS, None, NULLS, "c", 6),
        "keyless": event("logs", COLUMNS, None, ROW, "c"),
        "gone": {"topic": "shop.public.items", "key": event("items", COLUMNS, None, ROW, "c", 5)["key"], "value": None},
        "row": {"topic": "shop.public.items", "key": event("items", COLUMNS, None, ROW, "c", 5)["key"],
                "value": text(struct("shop.public.items.Value", COLUMNS), ROW)},
        "nulls": {"topic": "shop.public.items", "key": None,
                  "value": text(struct("shop.public.items.Value", COLUMNS, None, True), NULLS)},
    }
    # Connect's JsonConverter reads NaN, which it writes as a text, as zero.
    found["defaults"]["value"] = found["defaults"]["value"].replace('"NaN"', "2.5")
    found["stamped"] = dict(found["row"], partition=4, timestamp=1709210096789)
    found["early"] = dict(found["row"], timestamp=-1)
    header = lambda name, schema, value: [name, text(schema, value)]
    names = f("array", None, True, items=f("string", None, True), name="changed")
    tagged = [header("tenant", f("string"), "acme"), header("count", f("int32"), 3),
              header("changed", names, ["name", "small"]), header("tenant", f("string"), "second"),
              ["none", None]]
    found["tagged"] = dict(found["row"], headers=tagged)
    found["tagged_event"] = dict(found["change"], headers=tagged)
    found["drop"] = dict(found["change"], headers=[header("unchanged", names, ["id", "note", "small", "nothing"])])
    found["drop_delete"] = dict(found["remove"], headers=[header("unchanged", names, ["id", "note", "small"])])
    found["drop_none"] = dict(found["change"], headers=[header("unchanged", names, [])])
    nest = struct("nest", [
        f("int32", "a"),
        struct("inner", [f("string", "b", True, default="x"), f("array", "list", items=f("int32")),
                         f("int64", "dot.ted", True)], "in", True),
        struct("must", [f("string", "c")], "must"),
    ])
    found["nested"] = {"topic": "n", "key": text(nest, {"a": 1, "in": {"b": None, "list": [1], "dot.ted": 4}, "must": {"c": "k"}}),
                       "value": text(nest, {"a": 1, "in": {"b": "y", "list": [1, 2], "dot.ted": None}, "must": {"c": "z"}})}
    found["nested_null"] = {"topic": "n", "key": None, "value": text(nest, {"a": 1, "in": None, "must": {"c": "z"}})}
    hstore = struct("m", [f("map", "h", True, keys=f("string"), values=f("string", None, True)), f("int32", "id")])
    found["map"] = {"topic": "m", "key": None, "value": text(hstore, {"h": {"k": None}, "id": 1})}
    found["scalar"] = {"topic": "s", "key": text(f("int64"), 12345678901), "value": text(f("string", None, True, name="my.Name", doc="words"), "77")}
    found["moment"] = {"topic": "s", "key": text(f("int64"), 1711846800123), "value": text(f("int64", None, True, name=C + "Timestamp", version=1), 1711846800123)}
    dates = struct("dates", [f("string", "s", True), f("int64", "u", True)])
    found["dates"] = {"topic": "d", "key": None, "value": text(dates, {"s": "2024-02-29 13:14:15.678 +0200", "u": 1709212455678})}
    for name, payload in {
        "plain": "{\"id\": 1, \"items\": [{\"a\": 1.5}], \"n\": null}",
        "deep": "{\"a\":{\"b\":{\"c\":[[1,2],[3]]}},\"big\":12345678901,\"t\":true,\"e\":[],\"s\":\"x\",\"o\":{}}",
        "mixed": "{\"a\":[1,\"x\"]}", "numbers": "{\"a\":[1,1.5]}", "nullish": "{\"a\":[null],\"b\":[null,1]}",
        "array": "[{\"a\":1},{\"a\":2}]", "merged": "{\"l\":[{\"a\":1,\"n\":null},{\"a\":2}]}",
        "huge": "{\"a\":123456789012345678901}", "broken": "{\"a\":", "word": "hello", "blank": "  ", "none": None,
        "names": "{\"a-b\":1,\"1x\":2,\"c_d\":{\"e.f\":3}}", "zero": "",
    }.items():
        found["out_" + name] = outbox(payload)
    found["out_customer"] = outbox("{\"id\":2}", "customer", ver=2, ts=None, part=None, tenant=None)
    found["out_update"] = outbox("{}", letter="u")
    found["out_delete"] = outbox("{}", letter="d")
    found["out_read"] = outbox("{}", letter="r")
    message = json.loads(found["message"]["value"])
    for name, content in {"object": "{\"id\":1,\"type\":\"T\",\"n\":null}", "array": "[1]", "text": "hello", "bad": "{x"}.items():
        import base64
        message["payload"]["message"]["content"] = base64.b64encode(content.encode()).decode()
        found["message_" + name] = dict(found["message"], value=text(message["schema"], message["payload"]))
    change = struct("io.debezium.connector.mysql.SchemaChangeValue", [
        f("array", "tableChanges", True, items=struct("c", [f("string", "type")]))])
    for name, value in {"create": [{"type": "CREATE"}], "none": None, "database": []}.items():
        found["ddl_" + name] = {"topic": "ddl", "key": None, "value": text(change, {"tableChanges": value})}
    return found


# -- cases ------------------------------------------------------------------------------------------------------

CASES = {}


def chain(*transforms, **predicates):
    props = {"transforms": ",".join("t%d" % (at + 1) for at in range(len(transforms)))}
    for at, (kind, options) in enumerate(transforms):
        prefix = "transforms.t%d." % (at + 1)
        props[prefix + "type"] = kind
        props.update({prefix + key: value for key, value in options.items()})
    if predicates:
        props["predicates"] = ",".join(predicates)
        for name, (kind, options) in predicates.items():
            props["predicates.%s.type" % name] = kind
            props.update({"predicates.%s.%s" % (name, key): value for key, value in options.items()})
    return props


def case(file, name, props, records, converter=None):
    entry = {"name": name, "props": props, "records": records.split()}
    if converter:
        entry["converter"] = converter
    CASES.setdefault(file, []).append(entry)


def one(file, kind, records, *variants, converter=None):
    for at, options in enumerate(variants):
        case(file, "%s %d" % (file, at + 1), chain((kind, options)), records, converter)


def write_cases():
    no = {"replace.null.with.default": "false"}
    halves = lambda name: [K + name + "$Key", K + name + "$Value"]
    # without any transform: the converter alone
    everything = "create update delete tombstone truncate heartbeat flat message transaction defaults read change remove empty keyless gone row nulls nested map scalar moment tagged"
    case("converter", "as it is", {"transforms": ""}, everything)
    case("converter", "numeric", {"transforms": ""}, "row nulls defaults", {"decimal.format": "NUMERIC"})
    case("converter", "nulls stay", {"transforms": ""}, "row nulls defaults empty", no)

    key, value = halves("ExtractField")
    one("extract_field", value, "row nulls gone", {"field": "name"}, dict(no, field="name"), {"field": "missing"}, {})
    one("extract_field", value, "nested nested_null gone", {"field": "in.b", "field.syntax.version": "V2"},
        {"field": "in.b"}, {"field": "in.`dot.ted`", "field.syntax.version": "v2"}, {"field": "in.b.c", "field.syntax.version": "V2"},
        {"field": "`in", "field.syntax.version": "V2"}, {"field": "in", "field.syntax.version": "V3"},
        dict(no, field="in.b", **{"field.syntax.version": "V2"}))
    one("extract_field", key, "row keyless scalar create", {"field": "id"}, {"field": "pk"})
    key, value = halves("HoistField")
    one("hoist_field", value, "row gone scalar moment", {"field": "outer"}, {})
    one("hoist_field", key, "row keyless scalar", {"field": "k"})
    key, value = halves("ReplaceField")
    one("replace_field", value, "row nulls gone scalar insert", {"exclude": "raw,price,missing"}, {"include": "id,name"},
        {"include": "id,name", "exclude": "name"}, {"renames": "id:ident,name:label"}, dict(no, renames="name:note2,note:name"),
        {"renames": "id:name"}, {"renames": "id"}, {"exclude": "a,a"}, {"exclude": ""}, {}, {"replace.null.with.default": "maybe"},
        {"include": "a, ,b"})
    one("replace_field", key, "row keyless scalar", {"renames": "id:key"}, {"exclude": "id"})
    key, value = halves("MaskField")
    every = ",".join(c["field"] for c in COLUMNS if c["field"] != "raw")
    one("mask_field", value, "row nulls gone", {"fields": every}, {"fields": "raw"}, {"fields": "name,missing"}, dict(no, fields="name"),
        {"fields": "id,small,big,single,real,name,price", "replacement": "42"}, {"fields": "small", "replacement": "70000"},
        {"fields": "note", "replacement": "***"}, {"fields": "id", "replacement": "x"}, {"fields": "price", "replacement": "x"}, {"fields": "flag", "replacement": "1"},
        {"fields": "big", "replacement": "1.9e3"}, {"fields": "real", "replacement": "0.1"}, {"fields": ""}, {}, {"fields": "a", "replacement": ""}, {"fields": "a,a"})
    one("mask_field", value, "map", {"fields": "h"})
    one("mask_field", key, "row keyless", {"fields": "id"}, {"fields": "id", "replacement": "9"})
    key, value = halves("InsertField")
    one("insert_field", value, "row stamped nulls gone scalar", {"topic.field": "t"}, {"topic.field": "t!", "partition.field": "p?", "timestamp.field": "ts"},
        {"partition.field": "p!"}, {"timestamp.field": "ts!"}, {"static.field": "s", "static.value": "v"}, dict(no, **{"static.field": "s!", "static.value": ""}),
        {"static.field": "s"}, {"offset.field": "o"}, {}, {"static.field": "id", "static.value": "v"}, {"static.value": "v"})
    one("insert_field", key, "row keyless", {"static.field": "s", "static.value": "v"})
    insert = K + "InsertHeader"
    literals = ["text", "7", "300", "70000", "5000000000", "99999999999999999999", "1.5", "-0.25", "1e3", "1e400", "true", "false", "null", "", " ", "[1,2,300]",
                "[1,2.5]", "[]", "[null]", "[1,\"a\"]", "[1,", "{\"a\":1,\"b\":2}", "{}", "{\"a\":null}", "\"quoted\"", "2024-02-29", "2024-02-29T10:11:12.345Z", "10:11:12.345Z",
                "[\"a\",\"b\\\"c\"]", "a:b", "{a}", "-5", "+5", "0", "1.0", "0.0", "12abc", "[true,false]", "[[1],[2]]", " 7 "]
    for at, literal in enumerate(literals):
        case("insert_header", "literal %s" % literal, chain((insert, {"header": "h", "value.literal": literal})), "scalar")
    one("insert_header", insert, "tagged", {"header": "tenant", "value.literal": "third"}, {"header": "h"}, {"value.literal": "x"})
    one("drop_headers", K + "DropHeaders", "tagged row", {"headers": "tenant"}, {"headers": "tenant,count,missing"}, {"headers": ""}, {}, {"headers": "a,a"})
    key, value = halves("HeaderFrom")
    one("header_from", value, "row tagged nulls gone", {"fields": "name,price", "headers": "n,p", "operation": "copy"},
        {"fields": "name,id", "headers": "n,i", "operation": "move"}, dict(no, fields="name,tags,raw,cts", headers="n,t,r,c", operation="copy"),
        {"fields": "missing", "headers": "m", "operation": "copy"}, {"fields": "a,b", "headers": "m", "operation": "copy"},
        {"fields": "a", "headers": "m", "operation": "steal"}, {"fields": "", "headers": "m", "operation": "copy"}, {"fields": "a"})
    one("header_from", key, "row keyless", {"fields": "id", "headers": "i", "operation": "move"})
    one("value_to_key", K + "ValueToKey", "row nulls gone scalar insert", {"fields": "id,name"}, dict(no, fields="name"), {"fields": "missing"}, {"fields": "id,id"}, {"fields": ""}, {})
    key, value = halves("Cast")
    for kind in ["int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string"]:
        one("cast", value, "row nulls", {"spec": ",".join("%s:%s" % (c, kind) for c in ["small", "big", "single", "real", "flag", "note", "price", "cts", "cdate", "ctime"])},
            {"spec": "id:%s,name:%s" % (kind, "string"), "replace.null.with.default": "false"})
        one("cast", value, "scalar moment", {"spec": kind})
    one("cast", value, "row gone nested", {"spec": "name:int32"}, {"spec": "raw:string"}, {"spec": "raw:int8"}, {"spec": "tags:string"}, {"spec": "id:bytes"}, {"spec": "id:nothing"},
        {"spec": "int8,id:int8"}, {"spec": ""}, {}, {"spec": "a:b:c"}, {"spec": "id:STRING, flag :Int8"}, {"spec": "a:string,must:string"})
    one("cast", key, "row keyless scalar", {"spec": "id:string"}, {"spec": "string"}, {"spec": "int8"})
    key, value = halves("Flatten")
    one("flatten", value, "nested nested_null row nulls gone map insert remove", {}, {"delimiter": "_"}, {"delimiter": ""})
    one("flatten", key, "nested keyless row", {})
    key, value = halves("SetSchemaMetadata")
    one("schema_metadata", value, "row nulls gone scalar moment", {"schema.name": "other.Name", "schema.version": "3"}, {"schema.version": "2"}, dict(no, **{"schema.name": "n"}), {}, {"schema.version": "x"})
    one("schema_metadata", key, "row keyless scalar", {"schema.name": "k"})
    key, value = halves("TimestampConverter")
    for target in ["string", "unix", "Date", "Time", "Timestamp"]:
        for field in ["micro", "cts", "cdate", "ctime", "zoned", "id", "missing"]:
            one("timestamp_converter", value, "row nulls", {"field": field, "target.type": target, "format": "yyyy-MM-dd'T'HH:mm:ss"})
    for precision in ["seconds", "milliseconds", "microseconds", "nanoseconds"]:
        one("timestamp_converter", value, "row nulls", {"field": "micro", "target.type": "Timestamp", "unix.precision": precision}, {"field": "cts", "target.type": "unix", "unix.precision": precision})
    for pattern in ["yyyy-MM-dd HH:mm:ss.SSS Z", "EEE, d MMM yyyy hh:mm:ss a z", "EEEE MMMM dd yy G", "D w W F u k K X XX XXX", "''yyyy'year' S SSSSSS", "YYYY-'W'ww", "yyyyMMddHHmmss"]:
        one("timestamp_converter", value, "moment row", {"target.type": "string", "format": pattern})
        one("timestamp_converter", value, "dates row", {"field": "u", "target.type": "string", "format": pattern}, {"field": "s", "target.type": "Timestamp", "format": pattern})
    one("timestamp_converter", value, "moment gone row", {"target.type": "string"}, {"target.type": "string", "format": "bad"}, {"target.type": "other"}, {}, {"target.type": "unix", "unix.precision": "days"},
        {"target.type": "unix"}, {"target.type": "Date"}, dict(no, field="cts", **{"target.type": "unix"}))
    one("timestamp_converter", key, "scalar moment row", {"target.type": "Timestamp"})
    one("timestamp_router", K + "TimestampRouter", "stamped early row", {}, {"topic.format": "${timestamp}/${topic}/$1", "timestamp.format": "yyyy-MM"}, {"topic.format": "x"})
    one("regex_router", K + "RegexRouter", "create row heartbeat", {"regex": "(.*)\\.public\\.(.*)", "replacement": "$1_$2"}, {"regex": "shop", "replacement": "x"}, {"regex": ".*", "replacement": "a$0b"},
        {"regex": "(?<p>\\w+)\\..*", "replacement": "${p}-\\$1"}, {"regex": ".*?", "replacement": "x"}, {"regex": "(.*", "replacement": "x"}, {"regex": ".*", "replacement": "$9"}, {"regex": ".*", "replacement": "${no}"},
        {"regex": ".*"}, {"replacement": "x"}, {"regex": "SHOP.*", "replacement": "x"}, {"regex": "(.*)", "replacement": "$12"}, {"regex": ".*", "replacement": "a$"}, {"regex": ".*", "replacement": "a\\"})
    # predicates
    drop = (K + "Filter", {"predicate": "p"})
    for name, options, records in [("TopicNameMatches", {"pattern": "shop\\..*"}, "row create gone"), ("HasHeaderKey", {"name": "tenant"}, "row tagged"),
                                   ("RecordIsTombstone", {}, "row gone"), ("TopicNameMatches", {}, "row"), ("TopicNameMatches", {"pattern": "("}, "row"), ("HasHeaderKey", {"name": ""}, "row"), ("TopicNameMatches", {"pattern": ""}, "row")]:
        for negate in [None, "true", "false", "x"]:
            options_of_drop = dict(drop[1]) if negate is None else dict(drop[1], negate=negate)
            case("predicates", "%s %s" % (name, negate), chain((drop[0], options_of_drop), p=(P + name, options)), records)
    case("predicates", "no predicate", chain((K + "Filter", {})), "row gone")
    case("predicates", "negate alone", chain((K + "Filter", {"negate": "true"})), "row")
    case("predicates", "no class", {"transforms": "a"}, "row")
    case("predicates", "unknown class", chain(("org.example.Nothing", {})), "row")
    case("predicates", "twice", {"transforms": "a,a", "transforms.a.type": K + "Filter"}, "row")
    case("predicates", "unknown predicate class", chain((K + "Filter", {"predicate": "p"}), p=("org.example.Nothing", {})), "row")
    # Debezium's
    unwrap = D + "ExtractNewRecordState"
    life = "create update delete tombstone truncate heartbeat message insert change remove gone empty row defaults"
    one("new_state", unwrap, life, *[{"delete.tombstone.handling.mode": mode} for mode in ["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone", "Rewrite "]],
        {}, {"replace.null.with.default": "false", "delete.tombstone.handling.mode": "rewrite"}, {"delete.tombstone.handling.mode": "other"})
    one("new_state", unwrap, "insert change remove gone heartbeat", {"add.fields": "op,source.ts_ms,table:tbl,transaction.id,ts_us", "add.headers": "op,db,source.lsn:LSN,total_order,id"},
        {"add.fields": "op", "add.fields.prefix": "", "add.headers": "op", "add.headers.prefix": "x-"}, {"add.fields": "missing,before.name,after.id:ident,snapshot"},
        {"add.fields": "op,op"}, {"add.fields": "nothing.op"}, {"add.fields": "source"}, {"add.fields": "a:b:c"}, {"add.headers": "op", "delete.tombstone.handling.mode": "rewrite-with-tombstone"},
        {"add.fields": "op,lsn", "delete.tombstone.handling.mode": "rewrite"}, {"add.headers": "nothing.op"})
    one("new_state", unwrap, "insert change remove empty", {"route.by.field": "note"}, {"route.by.field": "name", "delete.tombstone.handling.mode": "rewrite"}, {"route.by.field": "missing"}, {"route.by.field": "id"})
    one("new_state", unwrap, "drop drop_delete drop_none change", {"drop.fields.header.name": "unchanged"}, {"drop.fields.header.name": "unchanged", "drop.fields.keep.schema.compatible": "false"},
        {"drop.fields.header.name": "unchanged", "drop.fields.from.key": "true", "drop.fields.keep.schema.compatible": "false"}, {"drop.fields.header.name": "unchanged", "delete.tombstone.handling.mode": "rewrite", "add.fields": "op"},
        {"drop.fields.header.name": "unchanged", "drop.fields.from.key": "true"})
    box = D + "outbox.EventRouter"
    outs = "out_plain out_customer out_none out_update out_delete out_read gone heartbeat"
    one("event_router", box, outs, {}, {"table.op.invalid.behavior": "fatal"}, {"table.op.invalid.behavior": "error"}, {"table.op.invalid.behavior": "other"},
        {"route.by.field": "type", "route.topic.replacement": "ev.${routedByValue}.x"}, {"route.topic.regex": "(.)(?<rest>.*)", "route.topic.replacement": "${rest}-$1"}, {"route.topic.regex": "("},
        {"table.field.event.id": "tenant", "table.field.event.key": "ver", "table.field.event.payload": "type"}, {"table.field.event.key": "missing"}, {"table.field.event.payload": "missing"}, {"table.field.event.id": "missing"},
        {"table.field.event.timestamp": "ts"}, {"table.field.event.timestamp": "plain"}, {"table.field.event.timestamp": "missing"}, {"table.field.event.timestamp": "ver"}, {"route.by.field": "ver"}, {"route.by.field": "tenant"},
        {"table.fields.additional.placement": "type:header:eventType,tenant:envelope,part:partition"}, {"table.fields.additional.placement": "ver:envelope:version,ts:envelope"},
        {"table.fields.additional.placement": "missing:header"}, {"table.fields.additional.placement": "missing:envelope"}, {"table.fields.additional.placement": "missing:header,missing:envelope,type:header", "table.field.additional.missing": "ignore"},
        {"table.fields.additional.placement": "tenant"}, {"table.fields.additional.placement": "tenant:partition"}, {"table.fields.additional.placement": "tenant:envelope", "table.field.event.schema.version": "ver"},
        {"table.field.event.schema.version": "ver"}, {"route.tombstone.on.empty.payload": "true"}, {"route.tombstone.on.empty.payload": "x"})
    payloads = "out_plain out_deep out_mixed out_numbers out_nullish out_array out_merged out_huge out_broken out_word out_blank out_none out_names"
    one("event_router", box, payloads, {"table.expand.json.payload": "true"}, {"table.expand.json.payload": "true", "table.json.payload.null.behavior": "optional_bytes"},
        {"table.expand.json.payload": "true", "table.json.payload.empty.array.behavior": "optional_string"}, {"table.expand.json.payload": "true", "table.fields.additional.placement": "type:envelope"},
        {"table.expand.json.payload": "true", "field.name.adjustment.mode": "avro"}, {"table.expand.json.payload": "true", "field.name.adjustment.mode": "avro_unicode"}, {"route.tombstone.on.empty.payload": "true"},
        {"table.expand.json.payload": "true", "route.tombstone.on.empty.payload": "true"}, {"table.json.payload.null.behavior": "x"})
    one("event_router", box, "insert truncate message", {})
    for name in ["ByLogicalTableRouter", "ToLogicalTopicRouter"]:
        base = {"topic.regex": "(.*)public\\.(.*)", "topic.replacement": "$1all"}
        one("logical_router", D + name, "create update delete tombstone insert change keyless heartbeat gone row read", base, dict(base, **{"key.enforce.uniqueness": "false"}), dict(base, **{"key.field.name": "__t"}),
            dict(base, **{"key.field.regex": "(.*)public\\.(.*)", "key.field.replacement": "$2"}), dict(base, **{"key.field.regex": "x"}), dict(base, **{"key.field.regex": "nomatch", "key.field.replacement": "$2"}),
            {"topic.regex": "("}, {"topic.regex": ".*"}, {}, dict(base, **{"schema.name.adjustment.mode": "avro", "topic.replacement": "a-b.1"}), dict(base, **{"schema.name.adjustment.mode": "avro_unicode", "topic.replacement": "a-b_c"}), {"topic.regex": ".*", "topic.replacement": " "},
            dict(base, **{"key.field.name": "id"}), dict(base, **{"logical.destination.cache.size": "1"}))
    one("changed_state", D + "ExtractChangedRecordState", "create update change remove insert gone heartbeat row truncate", {"header.changed.name": "Changed", "header.unchanged.name": "Unchanged"}, {"header.changed.name": "c"}, {}, {"header.unchanged.name": ""})
    to_value = D + "HeaderToValue"
    one("header_to_value", to_value, "tagged tagged_event row gone", {"headers": "tenant", "fields": "t", "operation": "copy"}, {"headers": "count,changed", "fields": "n,c", "operation": "move"},
        {"headers": "count", "fields": "source.count", "operation": "copy"}, {"headers": "count,changed", "fields": "extra.count,extra.names", "operation": "move"}, {"headers": "count", "fields": "id", "operation": "copy"},
        {"headers": "count", "fields": "name.x", "operation": "copy"}, {"headers": "none", "fields": "n", "operation": "copy"}, {"headers": "a,b", "fields": "n", "operation": "copy"}, {"headers": "a", "fields": "n", "operation": "steal"}, {"headers": "a"}, {"headers": "a b", "fields": "n", "operation": "copy"},
        {"headers": "missing", "fields": "m", "operation": "move"})
    one("header_to_value", to_value, "tagged_event", {"headers": "count", "fields": "after.count", "operation": "copy"}, {"headers": "count", "fields": "after.deep.count", "operation": "copy"}, {"headers": "tenant,count", "fields": "source.a,b", "operation": "copy"})
    zone = D + "TimezoneConverter"
    for where in ["America/New_York", "Europe/Oslo", "+08:00", "-03:30", "UTC", "Asia/Kolkata", "Nowhere/At", "+8", "+05:30:15", "utc", ""]:
        one("timezone_converter", zone, "insert change remove gone row create", {"converted.timezone": where})
    for rules in ["source:items", "source:items:micro", "topic:shop.public.items:zoned,topic:shop.public.items:cts", "items:nano", "source:other", "topic:other,items2", "source:items:after.micro", "source:items:source.ts_ms", "bad rule", "items",
                  "source:items:before.zoned", "SOURCE:items:micro"]:
        for which in ["include.list", "exclude.list"]:
            one("timezone_converter", zone, "change insert", {"converted.timezone": "Europe/Oslo", which: rules})
    one("timezone_converter", zone, "insert", {"converted.timezone": "UTC", "include.list": "source:a", "exclude.list": "source:b"}, {})
    part = D + "partitions.PartitionRouting"
    for function in ["java", "murmur", "other"]:
        for fields in ["change.id", "change.name", "change.note,change.big", "after.name", "before.id", "source.table,op", "change.real,change.single,change.flag", "change.price,change.raw", "missing", "change.tags", "change.cts,change.small", "change.missing", "ts_ms"]:
            one("partition_routing", part, "insert change remove create delete gone heartbeat truncate empty", {"partition.payload.fields": fields, "partition.topic.num": "7", "partition.hash.function": function})
    one("partition_routing", part, "insert", {"partition.payload.fields": "op", "partition.topic.num": "0"}, {"partition.payload.fields": "op", "partition.topic.num": "x"}, {"partition.payload.fields": "op"}, {"partition.topic.num": "3"}, {"partition.payload.fields": "op,,ts_ms", "partition.topic.num": "3"},
        {"partition.payload.fields": " after . id ", "partition.topic.num": "3"})
    one("decode_message", "io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent", "message_object message_array message_text message_bad create gone", {}, {"fields.null.include": "true"}, {"fields.null.include": "x"})
    one("schema_change_filter", D + "SchemaChangeEventFilter", "ddl_create ddl_none ddl_database create gone", {"schema.change.event.exclude.list": "CREATE"}, {"schema.change.event.exclude.list": "DROP, DATABASE"}, {"schema.change.event.exclude.list": "x"}, {})
    # chains
    case("chains", "changed fields", chain((D + "ExtractChangedRecordState", {"header.changed.name": "Changed", "header.unchanged.name": "Unchanged"}),
         (unwrap, {"drop.fields.header.name": "Unchanged", "add.fields": "op"}), (K + "DropHeaders", {"headers": "Unchanged"})), "insert change remove gone")
    case("chains", "header to value to unwrap", chain((D + "ExtractChangedRecordState", {"header.changed.name": "Changed"}), (to_value, {"headers": "Changed", "fields": "changed", "operation": "move"}), (unwrap, {"add.fields": "changed,op"})), "insert change remove")
    case("chains", "unwrap, flatten, route", chain((unwrap, {"delete.tombstone.handling.mode": "rewrite"}), (K + "ReplaceField$Value", {"exclude": "raw,tags"}), (K + "ValueToKey", {"fields": "id"}), (K + "ExtractField$Key", {"field": "id"}), (K + "RegexRouter", {"regex": "shop\\.public\\.(.*)", "replacement": "$1"})), "insert change remove gone create")
    case("chains", "not for tombstones", chain((K + "InsertField$Value", {"static.field": "s", "static.value": "v", "predicate": "p", "negate": "true"}), (K + "HoistField$Value", {"field": "v", "predicate": "p", "negate": "true"}), p=(P + "RecordIsTombstone", {})), "row gone insert")
    case("chains", "decode and route", chain(("io.debezium.connector.postgresql.transforms.DecodeLogicalDecodingMessageContent", {}), (box, {"table.field.event.key": "id", "table.field.event.payload": "type", "route.by.field": "type"})), "message_object create")
    case("chains", "by table", chain((D + "ByLogicalTableRouter", {"topic.regex": "(.*)\\.public\\.(.*)", "topic.replacement": "all"}), (unwrap, {"add.fields": "table"}), (K + "Cast$Value", {"spec": "id:string"})), "insert change remove gone keyless")


def main():
    write_cases()
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "inputs.json"), "w") as out:
        json.dump(inputs(sys.argv[1]), out, indent=0, ensure_ascii=False)
    for name, cases in CASES.items():
        with open(os.path.join(OUT, name + ".jsonl"), "w") as out:
            for entry in cases:
                out.write(json.dumps(entry, ensure_ascii=False) + "\n")
    print(sum(map(len, CASES.values())), "cases")


main()
