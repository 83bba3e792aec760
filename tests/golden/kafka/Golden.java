/*
 * Writes what Kafka's own Java classes make of every message and version in lib/kafka/schemata,
 * one line each: "NAME VERSION VARIANT HEX". See README.md for how to run it, and for the values.
 */
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;

public class Golden {
    static final String[] PACKAGES = {
        "org.apache.kafka.common.message.%sData", "org.apache.kafka.common.message.%s",
        "org.apache.kafka.common.metadata.%s", "org.apache.kafka.coordinator.group.generated.%s",
        "org.apache.kafka.coordinator.transaction.generated.%s",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.%s",
    };

    static boolean nulls; // the variant: every field null that may be

    static Class<?> find(String name) {
        for (String form : PACKAGES) {
            try {
                return Class.forName(String.format(form, name));
            } catch (ClassNotFoundException e) {
                // the next package
            }
        }
        throw new IllegalStateException("no class for " + name);
    }

    static int hash(String path) {
        int h = 0x811c9dc5;
        for (byte b : path.getBytes(StandardCharsets.UTF_8)) {
            h = (h ^ (b & 0xff)) * 0x01000193;
        }
        return h;
    }

    static byte[] four(int h) {
        return ByteBuffer.allocate(4).putInt(h).array();
    }

    static Field field(Class<?> type, String snake) throws Exception {
        String plain = snake.replace("_", "");
        for (Field f : type.getDeclaredFields()) {
            if (f.getName().equalsIgnoreCase(plain)) {
                f.setAccessible(true);
                return f;
            }
        }
        throw new IllegalStateException(type + " has no field " + snake);
    }

    static Class<?> element(Field f) {
        if (f.getGenericType() instanceof ParameterizedType p) {
            return (Class<?>) p.getActualTypeArguments()[0];
        }
        return (Class<?>) ((ParameterizedType) f.getType().getGenericSuperclass())
            .getActualTypeArguments()[0];
    }

    static Object value(String type, Class<?> java, String path) {
        int h = hash(path);
        if (java == boolean.class) return (h & 1) != 0;
        if (java == byte.class || java == Byte.class) return (byte) h;
        if (java == short.class || java == Short.class) return (short) h;
        if (java == int.class || java == Integer.class) return type.equals("UINT16") ? h & 0xffff : h;
        if (java == long.class || java == Long.class)
            return type.equals("UINT32") ? h & 0xffffffffL : (long) h << 32 | h & 0xffffffffL;
        if (java == String.class) return String.format("s%08x", h);
        if (java == Uuid.class) {
            long half = (long) h << 32 | h & 0xffffffffL;
            return new Uuid(half, half);
        }
        if (java == byte[].class) return four(h);
        if (java == ByteBuffer.class) return ByteBuffer.wrap(four(h));
        if (java.getName().endsWith("BaseRecords")) return MemoryRecords.readableRecords(ByteBuffer.wrap(four(h)));
        throw new IllegalStateException(path + ": " + java);
    }

    @SuppressWarnings("unchecked")
    static void set(Object to, String name, Type type, String path, int depth) throws Exception {
        Field f = field(to.getClass(), name);
        String here = path + "/" + name.replace("_", "").toLowerCase();
        if (nulls && type.isNullable()) {
            f.set(to, null);
        } else if (type.isArray()) {
            Type inner = type.arrayElementType().get();
            Class<?> java = element(f);
            Collection<Object> all = List.class.isAssignableFrom(f.getType())
                ? new ArrayList<>() : (Collection<Object>) f.getType().getDeclaredConstructor().newInstance();
            for (int i = 0; i < (depth == 0 ? 2 : 1); i++) {
                String item = here + "[" + i + "]";
                if (inner instanceof Schema s) {
                    Object one = java.getDeclaredConstructor().newInstance();
                    fill(one, s, item, depth + 1);
                    all.add(one);
                } else {
                    all.add(value(inner.toString(), java, item));
                }
            }
            f.set(to, all);
        } else if (type instanceof Schema s) {
            Object one = f.getType().getDeclaredConstructor().newInstance();
            fill(one, s, here, depth + 1);
            f.set(to, one);
        } else {
            f.set(to, value(type.toString(), f.getType(), here));
        }
    }

    static void fill(Object to, Schema schema, String path, int depth) throws Exception {
        for (BoundField b : schema.fields()) {
            if (b.def.type instanceof TaggedFields t) {
                for (Map.Entry<Integer, org.apache.kafka.common.protocol.types.Field> e : t.fields().entrySet()) {
                    set(to, e.getValue().name, e.getValue().type, path, depth);
                }
            } else {
                set(to, b.def.name, b.def.type, path, depth);
            }
        }
    }

    static String last;

    static void line(String name, short version, String variant, Message message) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(out), cache, version);
        String hex = HexFormat.of().formatHex(out.array());
        if (!variant.equals("null") || !hex.equals(last)) { // nothing may be null: the same again
            System.out.println(name + " " + version + " " + variant + " " + hex);
        }
        last = hex;
    }

    static void all(String name) throws Exception {
        Class<?> type = find(name);
        Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
        short low = type.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
        short high = type.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
        for (short v = low; v <= high; v++) {
            line(name, v, "default", (Message) type.getDeclaredConstructor().newInstance());
            for (boolean n : new boolean[] {false, true}) {
                nulls = n;
                Object filled = type.getDeclaredConstructor().newInstance();
                fill(filled, schemas[v], "", 0);
                line(name, v, n ? "null" : "filled", (Message) filled);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        TreeSet<String> names = new TreeSet<>();
        try (var files = Files.list(Path.of(args[0]))) {
            for (Path p : (Iterable<Path>) files::iterator) {
                for (String l : Files.readAllLines(p)) {
                    if (p.toString().endsWith(".def") && l.startsWith("message ")) names.add(l.split(" ")[1]);
                }
            }
        }
        for (String name : names) all(name);
    }
}
