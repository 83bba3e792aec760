/* JavaClient BOOTSTRAP: Kafka's Java client in the ways applications use it; ends at the first let-down. */
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class JavaClient {
    static String bootstrap;

    static void check(boolean condition, String text) {
        if (!condition) throw new AssertionError(text);
    }

    static KafkaProducer<String, String> producer(Object... more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "linger.ms", 5));
        for (int i = 0; i < more.length; i += 2) config.put((String) more[i], more[i + 1]);
        return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String group, Object... more) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group,
            "auto.offset.reset", "earliest", "enable.auto.commit", false, "isolation.level", "read_committed"));
        for (int i = 0; i < more.length; i += 2) config.put((String) more[i], more[i + 1]);
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    /* Polls until count records came, then once more: none may follow. */
    static List<ConsumerRecord<String, String>> read(KafkaConsumer<String, String> from, int count) {
        List<ConsumerRecord<String, String>> all = new ArrayList<>();
        long limit = System.currentTimeMillis() + 30000;
        while (all.size() < count && System.currentTimeMillis() < limit) {
            from.poll(Duration.ofMillis(100)).forEach(all::add);
        }
        from.poll(Duration.ofMillis(300)).forEach(all::add);
        check(all.size() == count, all.size() + " records instead of " + count);
        return all;
    }

    static void codecs(Admin admin) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = "java-" + codec;
            admin.createTopics(List.of(new NewTopic(topic, 3, (short) 1))).all().get();
            try (var p = producer("compression.type", codec); var c = consumer("g-" + codec)) {
                for (int i = 0; i < 300; i++) {
                    p.send(new ProducerRecord<>(topic, "key " + i, "value " + i));
                }
                p.flush();
                c.subscribe(List.of(topic));
                Set<String> seen = new HashSet<>();
                for (var r : read(c, 300)) seen.add(r.value());
                check(seen.size() == 300, codec + ": " + seen.size() + " different values");
                c.commitSync();
                for (TopicPartition tp : c.assignment()) {
                    check(c.committed(Set.of(tp)).get(tp).offset() == c.position(tp), "committed " + tp);
                }
            }
            System.out.println("java: " + codec + " is well");
        }
    }

    static void admin(Admin admin) throws Exception {
        check(admin.describeCluster().nodes().get().size() == 1, "nodes");
        check(!admin.describeCluster().clusterId().get().isEmpty(), "cluster id");
        admin.createTopics(List.of(new NewTopic("java-admin", 2, (short) 1)
            .configs(Map.of("retention.ms", "1234567")))).all().get();
        try {
            admin.createTopics(List.of(new NewTopic("java-admin", 2, (short) 1))).all().get();
            check(false, "created twice");
        } catch (ExecutionException e) {
            check(e.getCause() instanceof TopicExistsException, "created twice: " + e.getCause());
        }
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "java-admin");
        check(admin.describeConfigs(List.of(resource)).all().get().get(resource).get("retention.ms")
            .value().equals("1234567"), "retention.ms");
        admin.incrementalAlterConfigs(Map.of(resource, List.<AlterConfigOp>of(
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        check(config.get("cleanup.policy").value().equals("compact"), "cleanup.policy");
        check(config.get("retention.ms").isDefault(), "retention.ms is not the default again");
        admin.createPartitions(Map.of("java-admin", NewPartitions.increaseTo(4))).all().get();
        check(admin.describeTopics(List.of("java-admin")).allTopicNames().get().get("java-admin")
            .partitions().size() == 4, "partitions");
        TopicPartition tp = new TopicPartition("java-none", 0);
        long end = admin.listOffsets(Map.of(tp, OffsetSpec.latest())).all().get().get(tp).offset();
        check(end > 10, "the end of java-none is " + end);
        check(admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(5))).lowWatermarks().get(tp).get()
            .lowWatermark() == 5, "low watermark");
        check(admin.listOffsets(Map.of(tp, OffsetSpec.earliest())).all().get().get(tp).offset() == 5, "earliest");
        check(admin.listOffsets(Map.of(tp, OffsetSpec.maxTimestamp())).all().get().get(tp).offset() >= 5, "max time");
        groups(admin);
        admin.deleteTopics(List.of("java-admin")).all().get();
        check(!admin.listTopics().names().get().contains("java-admin"), "the deleted topic is listed");
        check(!admin.describeLogDirs(List.of(1)).allDescriptions().get().isEmpty(), "log dirs");
        System.out.println("java: admin is well");
    }

    static void groups(Admin admin) throws Exception {
        check(admin.listGroups().all().get().stream().anyMatch(g -> g.groupId().equals("g-lz4")), "g-lz4 is not listed");
        var group = admin.describeConsumerGroups(List.of("g-lz4")).all().get().get("g-lz4");
        check(group.groupState() == GroupState.EMPTY && group.members().isEmpty(), "g-lz4 is " + group.groupState());
        var offsets = admin.listConsumerGroupOffsets("g-lz4").partitionsToOffsetAndMetadata().get();
        check(offsets.size() == 3 && offsets.values().stream().mapToLong(OffsetAndMetadata::offset).sum() == 300, "" + offsets);
        TopicPartition tp = new TopicPartition("java-lz4", 1);
        admin.alterConsumerGroupOffsets("g-lz4", Map.of(tp, new OffsetAndMetadata(1))).all().get();
        check(admin.listConsumerGroupOffsets("g-lz4").partitionsToOffsetAndMetadata().get().get(tp).offset() == 1, "altered");
        admin.deleteConsumerGroupOffsets("g-lz4", Set.of(tp)).all().get();
        check(admin.listConsumerGroupOffsets("g-lz4").partitionsToOffsetAndMetadata().get().size() == 2, "offset deleted");
        admin.deleteConsumerGroups(List.of("g-lz4")).all().get();
    }

    static void transactions(Admin admin) throws Exception {
        admin.createTopics(List.of(new NewTopic("java-in", 1, (short) 1), new NewTopic("java-out", 2, (short) 1))).all().get();
        try (var p = producer()) {
            for (int i = 0; i < 20; i++) p.send(new ProducerRecord<>("java-in", "k", "v" + i));
        }
        try (var p = producer("transactional.id", "java-t"); var c = consumer("g-txn"); var out = consumer("g-out")) {
            p.initTransactions();
            c.subscribe(List.of("java-in"));
            var all = read(c, 20);
            TopicPartition tp = new TopicPartition("java-in", 0);
            for (int round = 0; round < 4; round++) {
                boolean commit = round % 2 == 1;
                p.beginTransaction();
                for (int i = round / 2 * 10; i < round / 2 * 10 + 10; i++) {
                    p.send(new ProducerRecord<>("java-out", "k" + i, (commit ? "commit " : "abort ") + all.get(i).value()));
                }
                p.sendOffsetsToTransaction(Map.of(tp, new OffsetAndMetadata(round / 2 * 10 + 10)), c.groupMetadata());
                if (commit) p.commitTransaction();
                else p.abortTransaction();
                long wanted = (round + 1) / 2 * 10;
                var committed = c.committed(Set.of(tp)).get(tp);
                check((committed == null ? 0 : committed.offset()) == wanted, "committed " + committed + ", not " + wanted);
            }
            out.subscribe(List.of("java-out"));
            for (var r : read(out, 20)) check(r.value().startsWith("commit"), r.value());
            fencing(admin, p, out);
        }
        System.out.println("java: transactions are well");
    }

    static void fencing(Admin admin, KafkaProducer<String, String> old, KafkaConsumer<String, String> out) throws Exception {
        old.beginTransaction();
        old.send(new ProducerRecord<>("java-out", "k", "abort by fencing")).get();
        check(admin.listTransactions().all().get().stream().anyMatch(t -> t.transactionalId().equals("java-t")), "listed");
        check(admin.describeTransactions(List.of("java-t")).all().get().get("java-t").topicPartitions().size() == 1, "described");
        try (var newer = producer("transactional.id", "java-t")) {
            newer.initTransactions();
            newer.beginTransaction();
            newer.send(new ProducerRecord<>("java-out", "k", "commit by newer"));
            newer.commitTransaction();
        }
        try {
            old.commitTransaction();
            check(false, "the fenced producer could commit");
        } catch (ProducerFencedException | InvalidProducerEpochException e) {
            // as it must be
        }
        check(read(out, 1).get(0).value().equals("commit by newer"), "another record");
    }

    static void rebalance(Admin admin) throws Exception {
        admin.createTopics(List.of(new NewTopic("java-members", 4, (short) 1))).all().get();
        try (var a = consumer("g-members"); var b = consumer("g-members")) {
            a.subscribe(List.of("java-members"));
            b.subscribe(List.of("java-members"));
            long limit = System.currentTimeMillis() + 60000;
            while (a.assignment().size() != 2 || b.assignment().size() != 2) {
                check(System.currentTimeMillis() < limit, "shares are " + a.assignment() + ", " + b.assignment());
                for (var c : List.of(a, b)) c.poll(Duration.ofMillis(50));
            }
            Collection<TopicPartition> both = new HashSet<>(a.assignment());
            both.addAll(b.assignment());
            check(both.size() == 4, "the members share " + both);
        }
        System.out.println("java: a rebalance is well");
    }

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            codecs(admin);
            admin(admin);
            transactions(admin);
            rebalance(admin);
        }
    }
}
