import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.node.*;
import io.apicurio.registry.utils.converter.avro.*;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import io.apicurio.registry.serde.avro.NonRecordContainer;
import org.apache.avro.generic.*;
import org.apache.avro.io.*;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/** Reads cases (JSON a line: props, text) and adds what AvroData makes of each: schema, bytes, or what was thrown. */
public class AvroReferee {
    public static void main(String[] args) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        Path file = Path.of(args[0]);
        List<String> out = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            ObjectNode test = (ObjectNode) mapper.readTree(line);
            test.remove(List.of("schema", "bytes", "error"));
            try {
                JsonConverter json = new JsonConverter();
                json.configure(Map.of("schemas.enable", "true", "replace.null.with.default", "false"), false);
                byte[] text = test.get("text").asText().getBytes(StandardCharsets.UTF_8);
                SchemaAndValue data = json.toConnectData("t", text);
                Map<String, Object> props = mapper.convertValue(test.get("props"), Map.class);
                AvroData avro = new AvroData(new AvroDataConfig(props));
                org.apache.avro.Schema schema = avro.fromConnectSchema(data.schema());
                Object value = avro.fromConnectData(data.schema(), data.value());
                if (value instanceof NonRecordContainer) value = ((NonRecordContainer) value).getValue();
                ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(bytes, null);
                new GenericDatumWriter<>(schema).write(value, encoder);
                encoder.flush();
                test.put("schema", schema.toString());
                test.put("bytes", HexFormat.of().formatHex(bytes.toByteArray()));
            } catch (Throwable thrown) {
                test.put("error", thrown.getClass().getSimpleName() + ": " + thrown.getMessage());
            }
            out.add(mapper.writeValueAsString(test));
        }
        Files.write(file, out);
    }
}
