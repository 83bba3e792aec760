// What avro_lines.c prints, by Apache Avro for Java.
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.io.JsonEncoder;

public class AvroLines {
    static String run(String[] part) {
        try {
            Schema writer = new Schema.Parser().parse(part[0]);
            Schema reader = new Schema.Parser().parse(part[1]);
            byte[] bytes = HexFormat.of().parseHex(part.length > 2 ? part[2] : "");
            BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(bytes, null);
            Object value = new GenericDatumReader<Object>(writer, reader).read(null, decoder);
            if (!decoder.isEnd()) {
                return "! bytes follow";
            }
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            JsonEncoder encoder = EncoderFactory.get().jsonEncoder(reader, out);
            new GenericDatumWriter<Object>(reader).write(value, encoder);
            encoder.flush();
            return out.toString(StandardCharsets.UTF_8).replace("\n", " ");
        } catch (Throwable e) {
            return "! " + e.toString().replace("\n", " ");
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        for (String line; (line = in.readLine()) != null;) {
            out.println(run(line.split("\t", -1)));
        }
    }
}
