"""Confluent's Python client against `weir broker` and `weir registry`: every call of the client that
the registry serves, then records through AvroSerializer and AvroDeserializer.

    registry_client.py BOOTSTRAP REGISTRY_URL
"""

import json
import sys
import time
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import (
    Metadata,
    MetadataProperties,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    header_schema_id_serializer,
    record_subject_name_strategy,
    topic_record_subject_name_strategy,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.schema_registry_client import ConfigCompatibilityLevel, ServerConfig
from confluent_kafka.serialization import (
    MessageField,
    SerializationContext,
    StringSerializer,
)

BOOTSTRAP, URL = sys.argv[1:3]


def record(name, *fields):
    return json.dumps({"type": "record", "name": name, "fields": list(fields)})


def field(name, kind, **more):
    return {"name": name, "type": kind, **more}


def avro(text, **more):
    return Schema(text, "AVRO", **more)


def same(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: {got!r} instead of {wanted!r}")


def refused(what, status, code, call):
    try:
        got = call()
    except SchemaRegistryError as error:
        same(f"{what}: status", error.http_status_code, status)
        same(f"{what}: error code", error.error_code, code)
        return error.error_message
    raise SystemExit(f"{what}: {got!r} instead of {code}")


def client():
    # A client of its own each time: no answer out of its cache.
    return SchemaRegistryClient({"url": URL})


ONE = record("ns.Flight", field("id", "int"))
TWO = record("ns.Flight", field("id", "int"), field("delay", "int", default=0))
NO_LEVEL = ServerConfig(compatibility=ConfigCompatibilityLevel.NONE, compatibility_group="grade")
BAD = record("ns.Flight", field("id", "int"), field("gate", "string"))


def register_and_read():
    subject = "air/port ü-value"
    first = client().register_schema(subject, avro(ONE))
    same("register again", client().register_schema(subject, avro(ONE)), first)
    second = client().register_schema(subject, avro(TWO), normalize_schemas=True)
    same("ids", second > first, True)
    full = client().register_schema_full_response(subject, avro(TWO))
    same("full response", full.schema_id, second)
    same("by id", json.loads(client().get_schema(first).schema_str)["name"], "Flight")
    same("by id and subject", client().get_schema(first, subject_name=subject).schema_type, "AVRO")
    guid = client().lookup_schema(subject, avro(ONE)).guid
    same("guid", str(uuid.UUID(guid)), guid)
    same("by guid", client().get_schema_by_guid(guid).schema_str, client().get_schema(first).schema_str)
    found = client().lookup_schema(subject, avro(TWO), normalize_schemas=True)
    same("lookup", (found.subject, found.version, found.schema_id), (subject, 2, second))
    latest = client().get_latest_version(subject)
    same("latest", (latest.version, latest.schema_id), (2, second))
    same("version", client().get_version(subject, 1).schema_id, first)
    same("versions", client().get_versions(subject), [1, 2])
    same("subjects", client().get_subjects(), [subject])
    same("subjects by prefix", client().get_subjects(subject_prefix="air"), [subject])
    same("types", client().get_schema_types(), ["AVRO"])
    same("subjects by id", client().get_subjects_by_schema_id(first), [subject])
    used = [(v.subject, v.version) for v in client().get_schema_versions(second)]
    same("versions by id", used, [(subject, 2)])
    refused("unknown id", 404, 40403, lambda: client().get_schema(4711))
    refused("unknown subject", 404, 40401, lambda: client().get_latest_version("none"))
    refused("unknown version", 404, 40402, lambda: client().get_version(subject, 9))
    refused("not of the subject", 404, 40403, lambda: client().lookup_schema(subject, avro('"int"')))
    refused("no schema", 422, 42201, lambda: client().register_schema(subject, avro('{"type":"x"}')))
    message = refused("incompatible", 409, 40901, lambda: client().register_schema(subject, avro(BAD)))
    same("reason", "gate" in message, True)
    same("compatible", client().test_compatibility(subject, avro(TWO)), True)
    same("not compatible", client().test_compatibility(subject, avro(BAD)), False)
    same("with one version", client().test_compatibility(subject, avro(BAD), version=1), False)
    same("with all", client().test_compatibility_all_versions(subject, avro(TWO)), True)


def config_and_mode():
    same("global level", client().get_compatibility(), "BACKWARD")
    client().set_compatibility("levels-value", "FULL")
    same("own level", client().get_compatibility("levels-value"), "FULL")
    client().set_config("levels-value", NO_LEVEL)
    got = client().get_config("levels-value")
    same("config", (got.compatibility_level.value, got.compatibility_group), ("NONE", "grade"))
    client().register_schema("levels-value", avro(ONE))
    client().register_schema("levels-value", avro('"int"'))
    client().delete_config("levels-value")
    refused("no config", 404, 40408, lambda: client().get_compatibility("levels-value"))
    refused("unknown level", 422, 42203, lambda: client().set_compatibility("levels-value", "MOST"))
    same("mode", client().get_global_mode(), "READWRITE")
    client().update_mode("levels-value", "READONLY")
    same("own mode", client().get_mode("levels-value"), "READONLY")
    refused("read only", 422, 42205, lambda: client().register_schema("levels-value", avro('"long"')))
    client().delete_mode("levels-value")
    client().register_schema("levels-value", avro('"long"'))
    same("contexts", client().get_contexts(), ["."])


def deletes():
    client().register_schema("gone-value", avro('"int"'))
    client().register_schema("gone-value", avro('"long"'))
    same("delete a version", client().delete_version("gone-value", 1), 1)
    same("left", client().get_versions("gone-value"), [2])
    same("deleted too", client().get_versions("gone-value", deleted=True), [1, 2])
    same("delete for good", client().delete_version("gone-value", 1, permanent=True), 1)
    same("delete a subject", client().delete_subject("gone-value"), [2])
    same("is gone", "gone-value" in client().get_subjects(), False)
    same("is listed", "gone-value" in client().get_subjects(deleted=True), True)
    same("for good", client().delete_subject("gone-value", permanent=True), [2])
    refused("unknown", 404, 40401, lambda: client().get_versions("gone-value"))


def metadata():
    properties = {"owner": "tower", "grade": "a"}
    schema = Schema.from_dict({"schema": ONE, "schemaType": "AVRO", "metadata": {"properties": properties}})
    client().register_schema("meta-value", schema)
    got = client().get_latest_with_metadata("meta-value", properties)
    same("by metadata", (got.version, got.schema.metadata.properties.properties), (1, properties))
    refused("other metadata", 404, 40403, lambda: client().get_latest_with_metadata("meta-value", {"owner": "x"}))
    half = {"owner": "tower", "grade": "b"}
    refused("one of two", 404, 40403, lambda: client().get_latest_with_metadata("meta-value", half))


def produce(topic, serializer, values):
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    failures = []
    for value in values:
        producer.produce(
            topic,
            key=StringSerializer()("k"),
            value=serializer(value, SerializationContext(topic, MessageField.VALUE)),
            on_delivery=lambda error, _: error and failures.append(error),
        )
    same("not delivered", producer.flush(60), 0)
    same("failures", failures, [])


def consume(topic, deserializer, count):
    consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": str(uuid.uuid4())})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    values, end = [], time.monotonic() + 60
    while len(values) < count and time.monotonic() < end:
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            raise SystemExit(f"consume {topic}: {message.error()}")
        values.append(deserializer(message.value(), SerializationContext(topic, MessageField.VALUE, message.headers())))
    consumer.close()
    return values


def serializers():
    every = record(
        "ns.Every",
        field("n", ["null", "string"], default=None),
        field("l", "long"),
        field("d", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}),
        field("m", {"type": "map", "values": "double"}),
        field("e", {"type": "enum", "name": "E", "symbols": ["A", "B"]}),
        field("f", {"type": "fixed", "name": "F", "size": 3}),
    )
    from decimal import Decimal

    value = {"n": None, "l": 2**40, "d": Decimal("12.34"), "m": {"x": 0.5}, "e": "B", "f": b"abc"}
    produce("every", AvroSerializer(client(), every), [value])
    same("round trip", consume("every", AvroDeserializer(client()), 1), [value])

    # A writer's schema older than the reader's: the field that it lacks has its default.
    produce("flights", AvroSerializer(client(), ONE), [{"id": 7}])
    produce("flights", AvroSerializer(client(), TWO), [{"id": 8, "delay": 3}])
    wanted = [{"id": 7, "delay": 0}, {"id": 8, "delay": 3}]
    same("by the reader's schema", consume("flights", AvroDeserializer(client(), TWO), 2), wanted)

    latest = {"auto.register.schemas": False, "use.latest.version": True}
    produce("flights", AvroSerializer(client(), None, conf=latest), [{"id": 9, "delay": 4}])
    same("by the latest", len(consume("flights", AvroDeserializer(client(), TWO), 3)), 3)

    by_record = {"subject.name.strategy": record_subject_name_strategy, "normalize.schemas": True}
    produce("any", AvroSerializer(client(), ONE, conf=by_record), [{"id": 1}])
    same("subject by record", client().get_versions("ns.Flight"), [1])
    by_both = {"subject.name.strategy": topic_record_subject_name_strategy}
    produce("any", AvroSerializer(client(), ONE, conf=by_both), [{"id": 2}])
    same("subject by both", client().get_versions("any-ns.Flight"), [1])


def references():
    client().register_schema("seat", avro(record("ns.Seat", field("row", "int"))))
    text = record("ns.Ticket", field("seat", "ns.Seat"))
    using = avro(text, references=[SchemaReference("ns.Seat", "seat", 1)])
    using_id = client().register_schema("tickets-value", using)
    got = client().get_schema(using_id)
    same("references", [(r.name, r.subject, r.version) for r in got.references], [("ns.Seat", "seat", 1)])
    same("referrers", client().get_referenced_by("seat", 1), [using_id])
    refused("referred to", 422, 42206, lambda: client().delete_subject("seat"))
    produce("tickets", AvroSerializer(client(), using), [{"seat": {"row": 4}}])
    same("referring records", consume("tickets", AvroDeserializer(client()), 1), [{"seat": {"row": 4}}])


def serialize(serializer, value, topic="settings", field=MessageField.VALUE, headers=None):
    return serializer(value, SerializationContext(topic, field, headers))


def avro_serializer(text, **conf):
    return AvroSerializer(client(), text, conf={k.replace("_", "."): v for k, v in conf.items()})


def settings():
    """What each setting of the serializer makes it ask, and what it does with the answers."""
    flight = {"id": 1}
    closed = avro_serializer(ONE, auto_register_schemas=False)
    refused("not registered", 404, 40401, lambda: serialize(closed, flight))
    first = client().register_schema("settings-value", avro(ONE))
    same("registered by now", serialize(avro_serializer(ONE, auto_register_schemas=False), flight)[:5],
         b"\0" + first.to_bytes(4, "big"))  # fmt: skip
    refused("another schema", 404, 40403, lambda: serialize(avro_serializer(TWO, auto_register_schemas=False), flight))
    message = refused("evolution that breaks", 409, 40901, lambda: serialize(avro_serializer(BAD), {"id": 1, "gate": "B"}))
    same("its reason", "gate" in message, True)
    same("nothing stored", client().get_versions("settings-value"), [1])
    second = serialize(avro_serializer(TWO), {"id": 2, "delay": 5})
    same("evolution", client().get_versions("settings-value"), [1, 2])
    same("old bytes, new reader", serialize(AvroDeserializer(client(), TWO), serialize(closed, flight)), {"id": 1, "delay": 0})
    same("new bytes, old reader", serialize(AvroDeserializer(client(), ONE), second), {"id": 2})
    latest = avro_serializer(None, auto_register_schemas=False, use_latest_version=True)
    same("latest", serialize(latest, {"id": 3, "delay": 1})[:5], second[:5])

    shuffled = json.dumps({"type": "record", "name": "N", "fields": [], "b": 1, "a": 2})
    serialize(avro_serializer(shuffled, normalize_schemas=True), {}, topic="normal")
    stored = client().get_latest_version("normal-value").schema.schema_str
    same("normalized", stored, '{"type":"record","name":"N","fields":[],"a":2,"b":1}')
    sorted_one = json.dumps({"type": "record", "name": "N", "fields": [], "a": 2, "b": 1})
    serialize(avro_serializer(sorted_one, normalize_schemas=True, auto_register_schemas=False), {}, topic="normal")
    refused("not normalized", 404, 40403,
            lambda: serialize(avro_serializer(shuffled, auto_register_schemas=False), {}, topic="normal"))  # fmt: skip

    serialize(avro_serializer(ONE), flight, topic="pair", field=MessageField.KEY)
    serialize(avro_serializer(ONE), flight, topic="pair")
    same("key and value", client().get_subjects(subject_prefix="pair"), ["pair-key", "pair-value"])
    serialize(avro_serializer('"string"'), "k", topic="plain", field=MessageField.KEY)
    same("a primitive key", client().get_latest_version("plain-key").schema.schema_str, '"string"')
    refused("an id that is not there", 404, 40403,
            lambda: serialize(AvroDeserializer(client()), b"\0\x7f\0\0\0\2"))  # fmt: skip


def metadata_settings():
    for major, text in (("1", ONE), ("2", TWO)):
        described = Schema(text, "AVRO", metadata=Metadata(None, MetadataProperties({"major": major}), None))
        client().register_schema("described-value", described)
    for major, value in (("1", {"id": 1}), ("2", {"id": 1, "delay": 2})):
        conf = {"auto.register.schemas": False, "use.latest.with.metadata": {"major": major}}
        payload = serialize(AvroSerializer(client(), None, conf=conf), value, topic="described")
        got = client().get_latest_with_metadata("described-value", {"major": major}).schema_id
        same(f"major {major}", payload[:5], b"\0" + got.to_bytes(4, "big"))
    conf = {"auto.register.schemas": False, "use.latest.with.metadata": {"major": "3"}}
    refused("major 3", 404, 40403,
            lambda: serialize(AvroSerializer(client(), None, conf=conf), {"id": 1}, topic="described"))  # fmt: skip


def ids_in_headers():
    """The GUID in a header, the bare Avro as the value; through the broker."""
    serializer = avro_serializer(BAD, schema_id_serializer=header_schema_id_serializer)
    headers = []
    value = serialize(serializer, {"id": 4, "gate": "B4 left"}, "headers", headers=headers)
    same("bare value", value, b"\x08\x0eB4 left")
    name, guid = headers[0]
    same("header", (name, guid[0], len(guid)), ("__value_schema_id", 1, 17))
    same("its GUID", str(uuid.UUID(bytes=guid[1:])), client().get_latest_version("headers-value").guid)
    producer = Producer({"bootstrap.servers": BOOTSTRAP})
    producer.produce("headers", value=value, headers=headers)
    same("not delivered", producer.flush(60), 0)
    deserializer = AvroDeserializer(client())
    same("read back", consume("headers", deserializer, 1), [{"id": 4, "gate": "B4 left"}])
    unknown = [("__value_schema_id", b"\1" + bytes(16))]
    refused("a GUID that is not there", 404, 40403,
            lambda: deserializer(value, SerializationContext("headers", MessageField.VALUE, unknown)))  # fmt: skip


admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
for topic in admin.create_topics([NewTopic(t, 1) for t in ("every", "flights", "any", "tickets", "headers")]).values():
    topic.result(30)
for case in (
    register_and_read,
    config_and_mode,
    deletes,
    metadata,
    serializers,
    references,
    settings,
    metadata_settings,
    ids_in_headers,
):
    print("---", case.__name__, flush=True)
    case()
