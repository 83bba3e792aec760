// JavaScript clients of Confluent's registry against `weir registry`: @confluentinc/schemaregistry with its
// Avro serializer, and @kafkajs/confluent-schema-registry. NODE_PATH names where they are installed.
//
//     node registry_client.js REGISTRY_URL
"use strict";
const assert = require("assert");
const confluent = require("@confluentinc/schemaregistry");
const kafkajs = require("@kafkajs/confluent-schema-registry");

const url = process.argv[2];
const record = (name, ...fields) => JSON.stringify({ type: "record", name, namespace: "js", fields });
const ONE = record("Flight", { name: "id", type: "int" });
const TWO = record("Flight", { name: "id", type: "int" }, { name: "delay", type: "int", default: 0 });
const BAD = record("Flight", { name: "id", type: "int" }, { name: "gate", type: "string" });
const avro = (schema, more) => ({ schema, schemaType: "AVRO", ...more });

// A client of its own each time: no answer out of its cache.
const client = () => new confluent.SchemaRegistryClient({ baseURLs: [url], maxRetries: 0 });

async function refused(what, codes, call) {
  let got;
  try {
    got = await call();
  } catch (error) {
    assert(codes.includes(error.errorCode ?? error.status), `${what}: ${error}`);
    return error.message;
  }
  throw new Error(`${what}: ${JSON.stringify(got)} instead of ${codes}`);
}

async function confluentClient() {
  const subject = "js-a-value";
  const id = await client().register(subject, avro(ONE), false);
  assert.strictEqual(await client().register(subject, avro(ONE), true), id);
  const second = await client().registerFullResponse(subject, avro(TWO), true);
  assert.strictEqual((await client().getBySubjectAndId(subject, id)).schema, ONE);
  assert.strictEqual((await client().getBySubjectAndId("js-other", id)).schema, ONE);
  const found = await client().getIdFullResponse(subject, avro(ONE), false);
  assert.deepStrictEqual([found.id, found.version, found.subject], [id, 1, subject]);
  assert.strictEqual((await client().getByGuid(found.guid)).schema, ONE);
  assert.strictEqual((await client().getLatestSchemaMetadata(subject)).id, second.id);
  assert.strictEqual((await client().getSchemaMetadata(subject, 1, false)).id, id);
  assert.deepStrictEqual(await client().getAllVersions(subject), [1, 2]);
  assert.strictEqual(await client().getVersion(subject, avro(TWO), false, false), 2);
  assert.deepStrictEqual(await client().getAllSubjects(), [subject]);
  assert.strictEqual(await client().testCompatibility(subject, 1, avro(TWO)), true);
  assert.strictEqual(await client().testCompatibility(subject, 1, avro(BAD)), false);
  assert.strictEqual(await client().testSubjectCompatibility(subject, avro(BAD)), false);
  const reason = await refused("incompatible", [409, 40901], () => client().register(subject, avro(BAD), false));
  assert(reason.includes("gate"), reason);
  await refused("no schema", [42201], () => client().register(subject, avro('{"type":"x"}'), false));
  // some of its calls put a subject into the path as it is: only one that encodes can take a slash
  await client().register("js/b ü", avro(ONE), false);
  assert.strictEqual((await client().getLatestSchemaMetadata("js/b ü")).subject, "js/b ü");
  await refused("unknown id", [40403], () => client().getBySubjectAndId(subject, 99999));
  await refused("unknown subject", [40401], () => client().getLatestSchemaMetadata("js-unknown"));
  await refused("no config", [40408], () => client().getCompatibility(subject));
  await client().updateCompatibility(subject, "FULL_TRANSITIVE");
  assert.strictEqual(await client().getCompatibility(subject), "FULL_TRANSITIVE");
  await client().updateConfig(subject, { compatibility: "NONE", normalize: true, compatibilityGroup: "g" });
  const config = await client().getConfig(subject);
  assert.deepStrictEqual([config.compatibilityLevel, config.normalize, config.compatibilityGroup], ["NONE", true, "g"]);
  assert.strictEqual((await client().getDefaultConfig()).compatibilityLevel, "BACKWARD");
  const properties = { owner: "ops", major: "1" };
  await client().register("js-meta", avro(ONE, { metadata: { properties } }), false);
  assert.strictEqual((await client().getLatestWithMetadata("js-meta", properties, false)).version, 1);
  await refused("other metadata", [40403], () => client().getLatestWithMetadata("js-meta", { owner: "x" }, false));
  assert.deepStrictEqual(await client().deleteSubject(subject, false), [1, 2]);
  assert.deepStrictEqual(await client().deleteSubject(subject, true), [1, 2]);
}

async function serializers() {
  const { AvroSerializer, AvroDeserializer, SerdeType, HeaderSchemaIdSerializer } = confluent;
  const sent = { id: 7, delay: 3 };
  const serializer = (conf, kind = SerdeType.VALUE) => new AvroSerializer(client(), kind, conf);
  await client().register("js-flights-value", avro(ONE), false);
  await client().register("js-flights-value", avro(TWO), false);
  const latest = serializer({ useLatestVersion: true });
  const payload = await latest.serialize("js-flights", sent);
  const { id } = await client().getLatestSchemaMetadata("js-flights-value");
  assert.deepStrictEqual([payload[0], payload.readInt32BE(1)], [0, id]);
  const deserializer = new AvroDeserializer(client(), SerdeType.VALUE, {});
  assert.deepStrictEqual({ ...(await deserializer.deserialize("js-flights", payload)) }, sent);
  await client().register("js-described-value", avro(TWO, { metadata: { properties: { major: "5" } } }), false);
  const described = serializer({ useLatestWithMetadata: { major: "5" } });
  await described.serialize("js-described", sent);
  const key = serializer({ autoRegisterSchemas: true, normalizeSchemas: true }, SerdeType.KEY);
  await key.serialize("js-flights", { id: 1 });
  assert.deepStrictEqual(await client().getAllVersions("js-flights-key"), [1]);
  await refused("not registered", [40401], () => serializer({ autoRegisterSchemas: false }).serialize("js-none", sent));
  const headers = {};
  const bare = serializer({ useLatestVersion: true, schemaIdSerializer: HeaderSchemaIdSerializer });
  const value = await bare.serialize("js-flights", sent, headers);
  assert.strictEqual(headers.__value_schema_id.length, 17);
  assert.strictEqual(value.length, payload.length - 5);
  assert.deepStrictEqual({ ...(await deserializer.deserialize("js-flights", value, headers)) }, sent);
}

async function kafkajsClient() {
  const registry = () => new kafkajs.SchemaRegistry({ host: url, retry: { retries: 0 } });
  const subject = "kafkajs-value";
  const { id } = await registry().register(avroOf(ONE), { subject });
  assert.strictEqual((await client().getCompatibility(subject)), "BACKWARD");
  assert.strictEqual((await registry().register(avroOf(ONE), { subject })).id, id);
  await assert.rejects(registry().register(avroOf(ONE), { subject, compatibility: "FULL" }), /compatibility/i);
  const second = (await registry().register(avroOf(TWO), { subject })).id;
  await assert.rejects(registry().register(avroOf(BAD), { subject }), /incompatible/i);
  assert.strictEqual(await registry().getLatestSchemaId(subject), second);
  assert.strictEqual(await registry().getRegistryId(subject, 1), id);
  assert.strictEqual(await registry().getRegistryIdBySchema(subject, avroOf(ONE)), id);
  const payload = await registry().encode(second, { id: 7, delay: 3 });
  assert.deepStrictEqual({ ...(await registry().decode(payload)) }, { id: 7, delay: 3 });
  await assert.rejects(registry().getSchema(99999), /not found/i);
}
const avroOf = (schema) => ({ type: kafkajs.SchemaType.AVRO, schema });

(async () => {
  for (const step of [confluentClient, serializers, kafkajsClient]) {
    console.log("---", step.name);
    await step();
  }
})().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
