-- Writes the structs, the tables and the typed functions of Kafka's messages.
--
--   lua generate.lua SCHEMA_DIR OUT_DIR name…
--
-- reads SCHEMA_DIR/name.def (the form: schemata/README.md) and writes OUT_DIR/name.h for each, and
-- OUT_DIR/messages.c and OUT_DIR/api_keys.h for all. A mistake in a .def ends with its line.

local NEVER = { 1, 0 }
local TOP = 32767

local types = {
    bool = { c = "bool", tag = "KP_BOOL" },
    int8 = { c = "int8_t", tag = "KP_INT8" },
    int16 = { c = "int16_t", tag = "KP_INT16" },
    uint16 = { c = "uint16_t", tag = "KP_UINT16" },
    int32 = { c = "int32_t", tag = "KP_INT32" },
    uint32 = { c = "uint32_t", tag = "KP_UINT32" },
    int64 = { c = "int64_t", tag = "KP_INT64" },
    uuid = { c = "struct kp_uuid", tag = "KP_UUID" },
    string = { c = "struct bs_bytes", tag = "KP_STRING", slice = true },
    bytes = { c = "struct bs_bytes", tag = "KP_BYTES", slice = true },
    records = { c = "struct bs_bytes", tag = "KP_RECORDS", slice = true },
}

local kinds = {
    request = "KP_REQUEST", response = "KP_RESPONSE", header = "KP_HEADER", data = "KP_DATA",
    key = "KP_KEY", value = "KP_VALUE", metadata = "KP_METADATA",
}

local function fail(where, ...)
    io.stderr:write(where, ": ", string.format(...), "\n")
    os.exit(1)
end

local function snake(name)
    local text = name:gsub("(%l)(%u)", "%1_%2"):gsub("(%d)(%u)", "%1_%2")
    return text:lower()
end

-- "partitions" gives "partition"; what has no plural form stays.
local function singular(name)
    if name:match("ss$") or name:match("us$") or not name:match("s$") then
        return name
    end
    if name:match("ies$") then
        return (name:gsub("ies$", "y"))
    end
    if name:match("[xh]es$") then
        return (name:gsub("es$", ""))
    end
    return (name:gsub("s$", ""))
end

local function range(text, where)
    if text == "none" then
        return NEVER
    end
    local from, to = text:match("^(%d+)%-(%d+)$")
    if from then
        return { tonumber(from), tonumber(to) }
    end
    from = text:match("^(%d+)%+$")
    if from then
        return { tonumber(from), TOP }
    end
    from = text:match("^(%d+)$")
    if from then
        return { tonumber(from), tonumber(from) }
    end
    fail(where, "versions '%s': write 3, 3+, 3-5 or none", text)
end

-- ---- reading -----------------------------------------------------------------------------------

local function read_options(words, from, where)
    local options = {}
    for i = from, #words do
        local key, value = words[i]:match("^(%w+)=(%S+)$")
        options[key or words[i]] = value or true
    end
    return options
end

local function read_field(words, where)
    local name, type_name, versions = words[1], words[2], words[3]
    if not versions then
        fail(where, "a field has a name, a type and versions")
    end
    local o = read_options(words, 4, where)
    local item = type_name:match("^%[%](%w+)$")
    local field = {
        name = name, c = snake(name), type = item or type_name, array = item ~= nil,
        versions = range(versions, where), nullable = o.null and range(o.null, where) or NEVER,
        ever_null = o.null ~= nil, tag = -1, default = o.default, ignorable = o.ignorable,
        rigid = o.rigid, fields = {}, where = where,
    }
    if o.tag then
        local tag, tagged = o.tag:match("^(%d+)@(%S+)$")
        local r = tag and range(tagged, where)
        if not r or r[1] ~= field.versions[1] or r[2] ~= field.versions[2] then
            fail(where, "%s: a field is tagged in all its versions or in none", name)
        end
        field.tag = tonumber(tag)
    end
    return field
end

local function read_message(words, where)
    local o = read_options(words, 4, where)
    if not kinds[words[3]] or not o.versions or not o.flexible then
        fail(where, "a message has a name, a kind, versions= and flexible=")
    end
    return {
        name = words[2], c = "kp_" .. snake(words[2]), kind = words[3],
        key = tonumber(o.key or -1), versions = range(o.versions, where),
        flexible = o.flexible == "none" and TOP or range(o.flexible, where)[1],
        unstable = o.unstable or false, fields = {}, commons = {}, where = where,
    }
end

local function read_file(path)
    local messages, stack = {}, {}
    local number = 0
    for line in io.lines(path) do
        number = number + 1
        local where = path .. ":" .. number
        local indent, rest = line:match("^( *)(.*)$")
        local depth = #indent // 4
        local words = {}
        for word in rest:gmatch("%S+") do
            words[#words + 1] = word
        end
        if #words == 0 or rest:sub(1, 1) == "#" then
            goto continue
        end
        if words[1] == "message" then
            stack = { [0] = read_message(words, where) }
            messages[#messages + 1] = stack[0]
        elseif words[1] == "struct" and depth == 1 then
            local common = { name = words[2], fields = {}, where = where }
            stack[0].commons[words[2]] = common
            stack[0].commons[#stack[0].commons + 1] = common
            stack[1] = common
        else
            local above = stack[depth - 1]
            if depth < 1 or not above then
                fail(where, "a field stands 4 spaces deeper than what it belongs to")
            end
            local field = read_field(words, where)
            above.fields[#above.fields + 1] = field
            stack[depth] = field
        end
        ::continue::
    end
    return messages
end

-- ---- naming structs ----------------------------------------------------------------------------

-- Puts the message's structs, inner ones first, into message.structs.
local function collect(message)
    local taken = { [message.c] = true }
    local base = message.name:gsub("Request$", ""):gsub("Response$", "")
    message.structs = {}
    local visit

    local function name_of(field, parent)
        local name = message.c .. "_" .. singular(field.c)
        if taken[name] then
            name = parent .. "_" .. singular(field.c)
        end
        if taken[name] then
            fail(field.where, "%s: two structs would be named %s", field.name, name)
        end
        return name
    end

    local function common_get(common)
        if not common.struct then
            local short = common.name
            if #short > #base and short:sub(1, #base) == base then
                short = short:sub(#base + 1)
            end
            common.c = message.c .. "_" .. snake(short)
            if taken[common.c] then
                fail(common.where, "%s: two structs would be named %s", common.name, common.c)
            end
            common.struct = visit(common, common.c)
        end
        return common.struct
    end

    function visit(owner, c)
        taken[c] = true
        local struct = { c = c, fields = owner.fields }
        for _, field in ipairs(owner.fields) do
            local common = message.commons[field.type]
            if types[field.type] then
                field.info = types[field.type]
            elseif common then
                field.struct = common_get(common)
            elseif #field.fields > 0 then
                field.struct = visit(field, name_of(field, c))
            else
                fail(field.where, "%s: type %s is not known", field.name, field.type)
            end
            if field.type == "records" and (field.tag >= 0 or field.array) then
                fail(field.where, "%s: records are neither tagged nor in an array", field.name)
            end
        end
        message.structs[#message.structs + 1] = struct
        return struct
    end

    message.root = visit(message, message.c)
end

-- ---- writing -----------------------------------------------------------------------------------

local function open(path)
    local file, why = io.open(path, "w")
    if not file then
        fail(path, "%s", why)
    end
    return function(...)
        file:write(string.format(...), "\n")
    end, file
end

local function count_name(field)
    return singular(field.c) .. "_count"
end

local function versions_text(r)
    if r[1] > r[2] then
        return "never"
    end
    return r[2] == TOP and r[1] .. "+" or r[1] == r[2] and tostring(r[1]) or r[1] .. "-" .. r[2]
end

local function field_comment(field)
    local text = versions_text(field.versions)
    if field.ever_null then
        text = text .. ", null " .. versions_text(field.nullable)
    end
    if field.tag >= 0 then
        text = text .. ", tag " .. field.tag
    end
    if field.default then
        text = text .. ", default " .. field.default
    end
    return text
end

local function write_struct(put, struct)
    put("\nstruct %s {", struct.c)
    for _, field in ipairs(struct.fields) do
        local c = field.struct and "struct " .. field.struct.c or field.info.c
        local pointer = (field.array or field.struct and field.ever_null) and " *" or " "
        put("    %s%s%s; /* %s */", c, pointer, field.c, field_comment(field))
        if field.array then
            put("    int32_t %s;", count_name(field))
        end
    end
    if #struct.fields == 0 then
        put("    char nothing; /* C wants a member */")
    end
    put("};")
end

local function has_records(message)
    for _, struct in ipairs(message.structs) do
        for _, field in ipairs(struct.fields) do
            if field.type == "records" then
                return true
            end
        end
    end
    return false
end

local function write_functions(put, message)
    local c = message.c
    for _, struct in ipairs(message.structs) do
        put("extern const struct kp_struct %s_type;", struct.c)
        put("static inline void %s_init(struct %s *ret)", struct.c, struct.c)
        put("{\n    kp_struct_init(&%s_type, ret);\n}", struct.c)
    end
    put("extern const struct kp_message %s_message;", c)
    put("static inline int %s_decode(struct bs_cursor *in, int16_t version,", c)
    put("    struct bs_arena *arena, struct %s *ret)", c)
    put("{\n    return kp_message_decode(&%s_message, in, version, arena, ret);\n}", c)
    put("static inline int %s_encode(const struct %s *from, int16_t version,", c, c)
    put("    struct bs_buf *out)")
    put("{\n    return kp_message_encode(&%s_message, from, version, out);\n}", c)
    if has_records(message) then
        put("static inline int %s_encode_pieces(const struct %s *from, int16_t version,", c, c)
        put("    struct bs_buf *out, struct kp_pieces *pieces)")
        put("{\n    return kp_message_encode_pieces(&%s_message, from, version, out, pieces);\n}", c)
    end
end

local function write_header(path, name, messages)
    local put, file = open(path)
    put("/* Made by lib/kafka/generate.lua from schemata/%s.def. The rules: lib/kafka/codec.h. */", name)
    put("#ifndef WEIR_GENERATED_KAFKA_%s_H", name:upper())
    put("#define WEIR_GENERATED_KAFKA_%s_H", name:upper())
    put("\n#include \"lib/kafka/codec.h\"")
    for _, message in ipairs(messages) do
        local unstable = message.unstable and ", the newest unstable" or ""
        put("\n/* ---- %s: versions %s%s ---- */", message.name, versions_text(message.versions), unstable)
        local upper = message.c:upper()
        put("\nenum {")
        if message.key >= 0 and (message.kind == "key" or message.kind == "metadata") then
            put("    %s_TYPE = %d, /* of the record */", upper, message.key)
        end
        put("    %s_VERSION_MIN = %d,", upper, message.versions[1])
        put("    %s_VERSION_MAX = %d,", upper, message.versions[2])
        put("};")
        for _, struct in ipairs(message.structs) do
            write_struct(put, struct)
        end
        put("")
        write_functions(put, message)
    end
    put("\n#endif")
    file:close()
end

-- The initialiser of one field's default; nil: zero.
local function default_text(field)
    local default = field.default
    if field.array then
        return default == "null" and string.format(".%s = -1", count_name(field)) or nil
    end
    if field.struct then
        if field.ever_null then
            return nil
        end
        return string.format(".%s = %s_DEFAULTS", field.c, field.struct.c:upper())
    end
    if field.info.slice then
        if default == "null" or field.type == "records" and field.ever_null then
            return nil
        end
        return string.format(".%s = {.ptr = (const uint8_t *)\"\"}", field.c)
    end
    if not default or default == "0" or default == "false" then
        return nil
    end
    if default == "9223372036854775807" then
        default = "INT64_MAX"
    elseif default == "-2147483648" then
        default = "INT32_MIN"
    end
    return string.format(".%s = %s", field.c, default)
end

local function range_text(r)
    return string.format("{%d, %d}", r[1], r[2])
end

local function write_field(put, struct, field)
    local parts = {
        string.format(".name = \"%s\"", field.name),
        string.format(".offset = offsetof(struct %s, %s)", struct.c, field.c),
        ".versions = " .. range_text(field.versions),
        ".nullable = " .. range_text(field.nullable),
        ".tag = " .. field.tag,
        ".type = " .. (field.struct and "KP_STRUCT" or field.info.tag),
    }
    if field.struct then
        parts[#parts + 1] = string.format(".members = &%s_type", field.struct.c)
    end
    if field.array then
        parts[#parts + 1] = string.format(".count_offset = offsetof(struct %s, %s)", struct.c, count_name(field))
    end
    for _, flag in ipairs({ "array", "ignorable", "rigid", "ever_null" }) do
        parts[#parts + 1] = field[flag] and string.format(".%s = true", flag) or nil
    end
    put("    {%s},", table.concat(parts, ", "))
end

local function write_struct_tables(put, struct)
    local inits = {}
    for _, field in ipairs(struct.fields) do
        inits[#inits + 1] = default_text(field)
    end
    local text = #inits > 0 and table.concat(inits, ", ") or "0"
    put("\n#define %s_DEFAULTS {%s}", struct.c:upper(), text)
    put("static const struct %s %s_defaults = %s_DEFAULTS;", struct.c, struct.c, struct.c:upper())
    local plain, tagged = {}, {}
    for _, field in ipairs(struct.fields) do
        table.insert(field.tag >= 0 and tagged or plain, field)
    end
    table.sort(tagged, function(a, b) return a.tag < b.tag end)
    local fields = "NULL"
    if #struct.fields > 0 then
        fields = struct.c .. "_fields"
        put("static const struct kp_field %s[] = {", fields)
        for _, list in ipairs({ plain, tagged }) do
            for _, field in ipairs(list) do
                write_field(put, struct, field)
            end
        end
        put("};")
    end
    put("const struct kp_struct %s_type = {", struct.c)
    put("    .fields = %s, .field_count = %d, .plain_count = %d,", fields, #struct.fields, #plain)
    put("    .size = sizeof(struct %s), .defaults = &%s_defaults,\n};", struct.c, struct.c)
end

local function write_message_table(put, message)
    put("\nconst struct kp_message %s_message = {", message.c)
    put("    .name = \"%s\", .root = &%s_type, .versions = %s, .flexible = %d,", message.name,
        message.root.c, range_text(message.versions), message.flexible)
    put("    .key = %d, .kind = %s,\n};", message.key, kinds[message.kind])
end

-- Requests with their responses, by key.
local function pair_apis(messages)
    local apis, by_key = {}, {}
    for _, message in ipairs(messages) do
        if message.kind == "request" then
            local api = { name = message.name:gsub("Request$", ""), request = message }
            by_key[message.key] = api
            apis[#apis + 1] = api
        end
    end
    for _, message in ipairs(messages) do
        if message.kind == "response" then
            by_key[message.key].response = message
        end
    end
    table.sort(apis, function(a, b) return a.request.key < b.request.key end)
    return apis
end

local function write_tables(path, names, messages, apis)
    local put, file = open(path)
    put("/* Made by lib/kafka/generate.lua from schemata/: the tables that lib/kafka/codec.c reads. */")
    put("#include \"lib/kafka/api.h\"\n")
    for _, name in ipairs(names) do
        put("#include \"generated/lib/kafka/%s.h\"", name)
    end
    for _, message in ipairs(messages) do
        for _, struct in ipairs(message.structs) do
            write_struct_tables(put, struct)
        end
        write_message_table(put, message)
    end
    put("\nconst struct kp_message *const kp_messages[] = {")
    for _, message in ipairs(messages) do
        put("    &%s_message,", message.c)
    end
    put("};\nconst size_t kp_message_count = sizeof kp_messages / sizeof *kp_messages;")
    put("\nconst struct kp_api kp_apis[] = {")
    for _, api in ipairs(apis) do
        local r = api.request
        put("    {.key = %d, .name = \"%s\", .min_version = %d, .max_version = %d,", r.key, api.name,
            r.versions[1], r.versions[2])
        put("     .first_flexible = %d, .latest_unstable = %s,", r.flexible, tostring(r.unstable))
        put("     .request = &%s_message, .response = &%s_message},", r.c, api.response.c)
    end
    put("};\nconst size_t kp_api_count = sizeof kp_apis / sizeof *kp_apis;")
    file:close()
end

local function write_keys(path, apis)
    local put, file = open(path)
    put("/* Made by lib/kafka/generate.lua from schemata/. */")
    put("#ifndef WEIR_GENERATED_KAFKA_API_KEYS_H\n#define WEIR_GENERATED_KAFKA_API_KEYS_H")
    put("\nenum kp_api_key {")
    for _, api in ipairs(apis) do
        put("    KP_API_%s = %d,", snake(api.name):upper(), api.request.key)
    end
    put("};\n\n#endif")
    file:close()
end

local source, target = arg[1], arg[2]
local names = table.move(arg, 3, #arg, 1, {})
local all = {}
for _, name in ipairs(names) do
    local messages = read_file(source .. "/" .. name .. ".def")
    for _, message in ipairs(messages) do
        collect(message)
        all[#all + 1] = message
    end
    write_header(target .. "/" .. name .. ".h", name, messages)
end
local apis = pair_apis(all)
write_tables(target .. "/messages.c", names, all, apis)
write_keys(target .. "/api_keys.h", apis)
