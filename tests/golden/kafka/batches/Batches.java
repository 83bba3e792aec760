/* Sends the records of README.md to a broker: topics java-CODEC, and java-txn with two transactions. */
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Batches {
    static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    static KafkaProducer<byte[], byte[]> producer(String bootstrap, String codec, String id) {
        var config = new java.util.HashMap<String, Object>(Map.of("bootstrap.servers", bootstrap,
            "compression.type", codec, "linger.ms", 200));
        if (id != null) config.put("transactional.id", id);
        else config.put("enable.idempotence", false);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    static void send(KafkaProducer<byte[], byte[]> to, String topic) {
        for (int i = 0; i < 10; i++) {
            byte[] key = i % 4 == 3 ? null : bytes("k" + i);
            byte[] value = i == 5 ? null : bytes(("value " + i + " ").repeat(20));
            to.send(new ProducerRecord<>(topic, 0, 1700000000000L + i, key, value,
                List.of(new RecordHeader("h1", bytes("a")), new RecordHeader("h2", null))));
        }
        to.flush();
    }

    public static void main(String[] args) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var p = producer(args[0], codec, null)) {
                send(p, "java-" + codec);
            }
        }
        try (var p = producer(args[0], "none", "golden")) {
            p.initTransactions();
            p.beginTransaction();
            send(p, "java-txn");
            p.commitTransaction();
            p.beginTransaction();
            send(p, "java-txn");
            p.abortTransaction();
        }
    }
}
