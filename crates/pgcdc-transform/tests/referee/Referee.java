import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.runtime.SourceConnectorConfig;
import org.apache.kafka.connect.runtime.ConnectorConfig;
import org.apache.kafka.connect.runtime.isolation.Plugins;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Runs Kafka's and Debezium's own transforms, and writes their answers into the files of cases, a case a line.
 *
 * A case is {"name", "props": {...}, "records": [name, ...]}; the records stand in the first file that is given.
 */
public class Referee {
    static final ObjectMapper MAPPER = new ObjectMapper();
    static Plugins plugins;

    static class Stage {
        Transformation<SourceRecord> transform;
        Predicate<SourceRecord> predicate;
        boolean negate;
    }

    public static void main(String[] args) throws Exception {
        JsonNode inputs = MAPPER.readTree(new java.io.File(args[0]));
        Map<String, String> worker = new HashMap<>();
        worker.put("plugin.discovery", "only_scan");
        plugins = new Plugins(worker);
        for (int at = 1; at < args.length; at++) {
            java.nio.file.Path file = java.nio.file.Path.of(args[at]);
            StringBuilder answered = new StringBuilder();
            for (String line : java.nio.file.Files.readAllLines(file)) {
                ObjectNode test = (ObjectNode) MAPPER.readTree(line);
                answer(test, inputs);
                answered.append(MAPPER.writeValueAsString(test)).append('\n');
            }
            java.nio.file.Files.writeString(file, answered);
            System.out.println(file.getFileName());
        }
    }

    static void answer(ObjectNode test, JsonNode inputs) {
        Map<String, String> props = new LinkedHashMap<>();
        test.get("props").fields().forEachRemaining(e -> props.put(e.getKey(), e.getValue().asText()));
        test.remove("problems");
        test.remove("refused");
        test.remove("answers");
        ArrayNode problems = validate(props);
        if (problems.size() > 0) {
            test.set("problems", problems);
            return;
        }
        List<Stage> stages;
        try {
            stages = stages(props);
        }
        catch (Throwable e) {
            test.set("refused", thrown(e));
            return;
        }
        JsonConverter keys = converter(test, "key", true);
        JsonConverter values = converter(test, "value", true);
        JsonConverter plainKeys = converter(test, "key", false);
        JsonConverter plainValues = converter(test, "value", false);
        ArrayNode answers = test.putArray("answers");
        for (JsonNode name : test.get("records")) {
            ObjectNode answer = answers.addObject();
            try {
                SourceRecord record = record(inputs.get(name.asText()));
                for (Stage stage : stages) {
                    if (stage.predicate == null || stage.negate ^ stage.predicate.test(record)) {
                        record = stage.transform.apply(record);
                    }
                    if (record == null) {
                        break;
                    }
                }
                if (record == null) {
                    answer.put("dropped", true);
                    continue;
                }
                answer.put("topic", record.topic());
                answer.put("partition", record.kafkaPartition());
                answer.put("timestamp", record.timestamp());
                answer.set("key", written(keys, record.topic(), record.keySchema(), record.key()));
                answer.set("value", written(values, record.topic(), record.valueSchema(), record.value()));
                answer.set("plainKey", written(plainKeys, record.topic(), record.keySchema(), record.key()));
                answer.set("plainValue", written(plainValues, record.topic(), record.valueSchema(), record.value()));
                ArrayNode headers = answer.putArray("headers");
                SimpleHeaderConverter simple = new SimpleHeaderConverter();
                for (Header header : record.headers()) {
                    ArrayNode pair = headers.addArray().add(header.key());
                    pair.add(written(values, record.topic(), header.schema(), header.value()));
                    byte[] text = simple.fromConnectHeader(record.topic(), header.key(), header.schema(), header.value());
                    pair.add(text == null ? null : new String(text, StandardCharsets.UTF_8));
                }
            }
            catch (Throwable e) {
                answer.removeAll();
                answer.set("thrown", thrown(e));
            }
        }
    }

    static JsonConverter converter(JsonNode test, String side, boolean schemas) {
        Map<String, Object> config = new HashMap<>();
        if (test.has("converter")) {
            test.get("converter").fields().forEachRemaining(e -> config.put(e.getKey(), e.getValue().asText()));
        }
        config.put("schemas.enable", String.valueOf(schemas));
        JsonConverter converter = new JsonConverter();
        converter.configure(config, side.equals("key"));
        return converter;
    }

    static JsonNode written(JsonConverter converter, String topic, Schema schema, Object value) {
        try {
            byte[] bytes = converter.fromConnectData(topic, schema, value);
            return bytes == null ? MAPPER.nullNode() : MAPPER.getNodeFactory().textNode(new String(bytes, StandardCharsets.UTF_8));
        }
        catch (Throwable e) {
            return thrown(e);
        }
    }

    static ArrayNode validate(Map<String, String> props) {
        ArrayNode problems = MAPPER.createArrayNode();
        Map<String, String> all = new LinkedHashMap<>(props);
        all.put("name", "test");
        all.put("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
        try {
            ConfigDef def = ConnectorConfig.enrich(plugins, SourceConnectorConfig.configDef(), all, false);
            for (ConfigValue value : def.validate(all)) {
                for (String message : value.errorMessages()) {
                    problems.addArray().add(value.name()).add(message);
                }
            }
        }
        catch (Throwable e) {
            problems.addArray().add("").add(String.valueOf(e.getMessage()));
        }
        return problems;
    }

    @SuppressWarnings("unchecked")
    static List<Stage> stages(Map<String, String> props) throws Exception {
        List<Stage> stages = new ArrayList<>();
        for (String alias : props.getOrDefault("transforms", "").split(",")) {
            if (alias.isBlank()) {
                continue;
            }
            String prefix = "transforms." + alias.trim() + ".";
            Map<String, Object> configs = below(prefix, props);
            Stage stage = new Stage();
            stage.transform = (Transformation<SourceRecord>) Class.forName((String) configs.remove("type"))
                    .getDeclaredConstructor().newInstance();
            String predicate = (String) configs.remove("predicate");
            Object negate = configs.remove("negate");
            stage.transform.configure(configs);
            if (predicate != null) {
                Map<String, Object> conditions = below("predicates." + predicate + ".", props);
                stage.predicate = (Predicate<SourceRecord>) Class.forName((String) conditions.remove("type"))
                        .getDeclaredConstructor().newInstance();
                stage.predicate.configure(conditions);
                stage.negate = negate != null && Boolean.parseBoolean(negate.toString());
            }
            stages.add(stage);
        }
        return stages;
    }

    static Map<String, Object> below(String prefix, Map<String, String> props) {
        Map<String, Object> found = new HashMap<>();
        props.forEach((key, value) -> {
            if (key.startsWith(prefix)) {
                found.put(key.substring(prefix.length()), value);
            }
        });
        return found;
    }

    static JsonNode thrown(Throwable e) {
        ArrayNode node = MAPPER.createArrayNode();
        return node.add(e.getClass().getSimpleName()).add(e.getMessage());
    }

    static SourceRecord record(JsonNode input) {
        SchemaAndValue key = read(input.get("key"));
        SchemaAndValue value = read(input.get("value"));
        ConnectHeaders headers = new ConnectHeaders();
        if (input.has("headers")) {
            for (JsonNode header : input.get("headers")) {
                SchemaAndValue read = read(header.get(1));
                headers.add(header.get(0).asText(), read.value(), read.schema());
            }
        }
        Integer partition = input.has("partition") ? input.get("partition").asInt() : null;
        Long timestamp = input.has("timestamp") ? input.get("timestamp").asLong() : null;
        return new SourceRecord(null, null, input.get("topic").asText(), partition, key.schema(), key.value(),
                value.schema(), value.value(), timestamp, headers);
    }

    static SchemaAndValue read(JsonNode node) {
        if (node == null || node.isNull()) {
            return SchemaAndValue.NULL;
        }
        JsonConverter converter = new JsonConverter();
        converter.configure(Map.of("schemas.enable", "true", "replace.null.with.default", "false"), false);
        SchemaAndValue read = converter.toConnectData("", node.asText().getBytes(StandardCharsets.UTF_8));
        return new SchemaAndValue(read.schema(), buffers(read.value()));
    }

    /** Debezium has bytes in buffers, which compare by content. */
    static Object buffers(Object value) {
        if (value instanceof byte[] bytes) {
            return ByteBuffer.wrap(bytes);
        }
        if (value instanceof List<?> list) {
            List<Object> copy = new ArrayList<>();
            list.forEach(item -> copy.add(buffers(item)));
            return copy;
        }
        if (value instanceof Struct struct) {
            Struct copy = new Struct(struct.schema());
            for (Field field : struct.schema().fields()) {
                copy.put(field, buffers(struct.getWithoutDefault(field.name())));
            }
            return copy;
        }
        return value;
    }
}
