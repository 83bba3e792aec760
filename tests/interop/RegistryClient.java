// Confluent's Java client of the registry, as Flink carries it in its Avro format, against `weir registry`.
// Confluent's own packages are not on Maven Central.
//
//     java -cp … RegistryClient.java REGISTRY_URL

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.List;
import java.util.Map;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.SchemaRegistryClient;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.entities.Config;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.entities.Metadata;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.entities.SchemaReference;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.avro.shaded.org.apache.avro.generic.GenericData;
import org.apache.flink.avro.shaded.org.apache.avro.generic.GenericDatumReader;
import org.apache.flink.avro.shaded.org.apache.avro.generic.GenericDatumWriter;
import org.apache.flink.avro.shaded.org.apache.avro.generic.GenericRecord;
import org.apache.flink.avro.shaded.org.apache.avro.io.DecoderFactory;
import org.apache.flink.avro.shaded.org.apache.avro.io.EncoderFactory;
import org.apache.flink.formats.avro.registry.confluent.ConfluentSchemaRegistryCoder;

public class RegistryClient {
    static final String ONE = record("{\"name\":\"id\",\"type\":\"int\"}");
    static final String TWO = record("{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"delay\",\"type\":\"int\",\"default\":0}");
    static final String BAD = record("{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"gate\",\"type\":\"string\"}");
    static String url;

    interface Call {
        Object run() throws Exception;
    }

    static String record(String fields) {
        return "{\"type\":\"record\",\"name\":\"Flight\",\"namespace\":\"java\",\"fields\":[" + fields + "]}";
    }

    static void same(String what, Object got, Object want) {
        if (!want.equals(got)) throw new IllegalStateException(what + ": " + got + " instead of " + want);
    }

    static String refused(String what, int status, Call call) throws Exception {
        Object got;
        try {
            got = call.run();
        } catch (RestClientException error) {
            if (error.getErrorCode() == status || error.getStatus() == status) return error.getMessage();
            throw new IllegalStateException(what + ": " + error);
        }
        throw new IllegalStateException(what + ": " + got + " instead of " + status);
    }

    // A client of its own each time: no answer out of its cache.
    static SchemaRegistryClient client() {
        return new CachedSchemaRegistryClient(url, 100);
    }

    static void calls() throws Exception {
        String subject = "java/a b-value";
        int id = client().register(subject, new AvroSchema(ONE));
        same("register again", client().register(subject, new AvroSchema(ONE), true), id);
        int second = client().registerWithResponse(subject, new AvroSchema(TWO), false).getId();
        same("by id", client().getSchemaById(id).canonicalString(), ONE);
        same("by subject and id", client().getSchemaBySubjectAndId(subject, id).canonicalString(), ONE);
        same("lookup", client().getId(subject, new AvroSchema(TWO), true), second);
        same("version", client().getVersion(subject, new AvroSchema(TWO)), 2);
        same("latest", client().getLatestSchemaMetadata(subject).getId(), second);
        same("metadata", client().getSchemaMetadata(subject, 1).getSchema(), ONE);
        same("versions", client().getAllVersions(subject), List.of(1, 2));
        same("subjects", List.copyOf(client().getAllSubjects()), List.of(subject));
        same("by prefix", List.copyOf(client().getAllSubjectsByPrefix("java/")), List.of(subject));
        same("subjects by id", List.copyOf(client().getAllSubjectsById(id)), List.of(subject));
        same("versions by id", client().getAllVersionsById(second).iterator().next().getVersion(), 2);
        same("schemas", client().getSchemas(subject, false, true).size(), 1);
        same("compatible", client().testCompatibility(subject, new AvroSchema(TWO)), true);
        List<String> reasons = client().testCompatibilityVerbose(subject, new AvroSchema(BAD));
        same("reasons", reasons.toString().contains("'gate'"), true);
        String message = refused("incompatible", 409, () -> client().register(subject, new AvroSchema(BAD)));
        same("its reason", message.contains("'gate'"), true);
        refused("unknown id", 40403, () -> client().getSchemaById(99999));
        refused("unknown subject", 40401, () -> client().getLatestSchemaMetadata("java-unknown"));
        refused("no config", 40408, () -> client().getConfig(subject));
        refused("no mode", 40409, () -> client().getMode(subject));
        same("mode", client().getMode(), "READWRITE");
        client().updateConfig(subject, new Config("FULL_TRANSITIVE"));
        same("level", client().getConfig(subject).getCompatibilityLevel(), "FULL_TRANSITIVE");
        client().deleteConfig(subject);
        same("read only", client().setMode("READONLY", subject), "READONLY");
        refused("read only", 42205, () -> client().register(subject, new AvroSchema("\"long\"")));
        client().deleteMode(subject);

        Metadata metadata = new Metadata(null, Map.of("owner", "ops", "major", "1"), null);
        client().register("java-meta", new AvroSchema(ONE).copy(metadata, null));
        same("by metadata", client().getLatestWithMetadata("java-meta", Map.of("major", "1"), false).getVersion(), 1);

        client().register("java-flight", new AvroSchema(ONE));
        SchemaReference reference = new SchemaReference("java.Flight", "java-flight", 1);
        String leg = "{\"type\":\"record\",\"name\":\"Leg\",\"namespace\":\"java\",\"fields\":[{\"name\":\"flight\",\"type\":\"Flight\"}]}";
        int using = client().register("java-leg", new AvroSchema(leg, List.of(reference), Map.of("java.Flight", ONE), null));
        same("references", client().getSchemaById(using).references(), List.of(reference));
        refused("referred to", 42206, () -> client().deleteSubject("java-flight", false));

        same("delete a version", client().deleteSchemaVersion(subject, "1", false), 1);
        same("delete", client().deleteSubject(subject, false), List.of(2));
        same("for good", client().deleteSubject(subject, true), List.of(1, 2));

        same("import", client().setMode("IMPORT", "java-import"), "IMPORT");
        same("imported", client().register("java-import", new AvroSchema("\"bytes\""), 9, 7000), 7000);
        same("its version", client().getAllVersions("java-import"), List.of(9));
    }

    // Flink's format: the id of the writer's schema before the record; old records through a new reader.
    static void flink() throws Exception {
        Schema writer = new Schema.Parser().parse(ONE), reader = new Schema.Parser().parse(TWO);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        new ConfluentSchemaRegistryCoder("java-flink-value", client()).writeSchema(writer, out);
        GenericRecord sent = new GenericData.Record(writer);
        sent.put("id", 7);
        var encoder = EncoderFactory.get().directBinaryEncoder(out, null);
        new GenericDatumWriter<GenericRecord>(writer).write(sent, encoder);
        client().register("java-flink-value", new AvroSchema(TWO));
        same("subject", client().getAllVersions("java-flink-value"), List.of(1, 2));
        ByteArrayInputStream in = new ByteArrayInputStream(out.toByteArray());
        Schema written = new ConfluentSchemaRegistryCoder(client()).readSchema(in);
        same("written", written, writer);
        var decoder = DecoderFactory.get().directBinaryDecoder(in, null);
        GenericRecord read = new GenericDatumReader<GenericRecord>(written, reader).read(null, decoder);
        same("read", read.toString(), "{\"id\": 7, \"delay\": 0}");
    }

    public static void main(String[] args) throws Exception {
        url = args[0];
        System.out.println("--- calls");
        calls();
        System.out.println("--- flink");
        flink();
    }
}
