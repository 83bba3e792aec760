/* Serde options: see serde_option.h. Pure but for the client it makes. */
#include "lib/registry/serde_option.h"

#include "lib/base/mem.h"

#include <stdio.h>
#include <string.h>

#define NO_RULES "rule sets are stored by the registry and not run by this serializer"
#define NO_JAVA  "concerns Java classes; Weir has one model of records"
#define NO_CLASS                                                                          \
    "there is no class whose schema could read; a file does it (schema = in a pipeline, " \
    "--schema in weir consume), or use.latest.version"
#define NO_OAUTH                                                                           \
    "tokens are not fetched here; give one that was, in bearer.auth.token, or sign in by " \
    "user and password"
#define NO_MISSING "what a registry has not is asked for again each time"
#define NO_ORDER   "URLs are tried from the one that answered last"
#define NO_PROXY                                                                                   \
    "a proxy is named in the environment, http_proxy=http://HOST:PORT or https_proxy, as libcurl " \
    "reads it"
#define NO_STORE "a PEM file has no password of its own"

static const struct bs_option ROWS[] = {
    {.name = "schema.registry.url",
     .type = BS_OPT_STRING,
     .doc = "the schema registry, http://HOST:PORT, several separated by commas and tried in turn; "
            "USER:PASSWORD@ before HOST signs in; without it Avro is refused"},
    {.name = "basic.auth.credentials.source",
     .type = BS_OPT_ENUM,
     .def = "URL",
     .words = "URL|USER_INFO",
     .doc = "where user and password stand: in the URL or in basic.auth.user.info, which alone is "
            "enough too"},
    {.name = "basic.auth.user.info",
     .type = BS_OPT_PASSWORD,
     .doc = "USER:PASSWORD for the registry"},
    {.name = "schema.registry.basic.auth.user.info",
     .type = BS_OPT_PASSWORD,
     .doc = "the same under its older name"},
    {.name = "max.retries",
     .type = BS_OPT_INT,
     .def = "3",
     .min = 0,
     .max = 1000,
     .doc = "how often a call is repeated after 408, 429, 500, 502, 503, 504 and network errors"},
    {.name = "retries.wait.ms",
     .type = BS_OPT_DURATION,
     .def = "1000",
     .min = 1,
     .max = 3600000,
     .doc = "wait before the first repetition; doubled each time, up to a half less at random"},
    {.name = "retries.max.wait.ms",
     .type = BS_OPT_DURATION,
     .def = "20000",
     .min = 1,
     .max = 3600000,
     .doc = "the longest wait between repetitions"},
    {.name = "http.connect.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "10000",
     .min = 1,
     .max = 3600000,
     .doc = "how long to wait for a connection to the registry"},
    {.name = "http.read.timeout.ms",
     .type = BS_OPT_DURATION,
     .def = "10000",
     .min = 1,
     .max = 3600000,
     .doc = "how long one call to the registry may take"},
    {.name = "auto.register.schemas",
     .type = BS_OPT_BOOL,
     .def = "true",
     .doc = "register the own schema when the subject has it not; while true, use.schema.id, "
            "use.latest.with.metadata and use.latest.version do nothing for writing"},
    {.name = "use.schema.id",
     .type = BS_OPT_INT,
     .def = "-1",
     .min = -1,
     .max = INT32_MAX,
     .doc = "write with the schema of this id; -1: no"},
    {.name = "id.compatibility.strict",
     .type = BS_OPT_BOOL,
     .def = "true",
     .doc = "with use.schema.id: its schema must be able to read what the own schema writes"},
    {.name = "use.latest.with.metadata",
     .type = BS_OPT_STRING,
     .doc = "write and read with the newest version with these metadata properties, "
            "NAME=VALUE,NAME=VALUE"},
    {.name = "use.latest.version",
     .type = BS_OPT_BOOL,
     .def = "false",
     .doc = "write and read with the subject's latest version; who writes without an own schema "
            "always does"},
    {.name = "latest.compatibility.strict",
     .type = BS_OPT_BOOL,
     .def = "true",
     .doc = "with use.latest.version: it must be able to read what the own schema writes"},
    {.name = "latest.cache.ttl.sec",
     .type = BS_OPT_INT,
     .def = "-1",
     .min = -1,
     .max = INT32_MAX,
     .doc = "how long the latest version is not asked for again; -1: for ever"},
    {.name = "normalize.schemas",
     .type = BS_OPT_BOOL,
     .def = "false",
     .doc = "normalize the own schema when it is registered or looked up"},
    {.name = "key.subject.name.strategy",
     .type = BS_OPT_STRING,
     .def = "TopicNameStrategy",
     .doc = "subject of keys: TopicNameStrategy, RecordNameStrategy, TopicRecordNameStrategy, also "
            "with their Java package"},
    {.name = "value.subject.name.strategy",
     .type = BS_OPT_STRING,
     .def = "TopicNameStrategy",
     .doc = "subject of values, likewise"},
    {.name = "max.schemas.per.subject",
     .type = BS_OPT_INT,
     .def = "1000",
     .min = 1,
     .max = 1000000,
     .doc = "schemas that a serializer keeps; the one not used for longest goes"},
    {.name = "key.schema.id.serializer",
     .type = BS_OPT_STRING,
     .def = "PrefixSchemaIdSerializer",
     .doc =
         "where the id of the key's schema goes: PrefixSchemaIdSerializer, five bytes before the "
         "data; HeaderSchemaIdSerializer, the GUID in header __key_schema_id"},
    {.name = "value.schema.id.serializer",
     .type = BS_OPT_STRING,
     .def = "PrefixSchemaIdSerializer",
     .doc = "the same for values, header __value_schema_id"},
    {.name = "key.schema.id.deserializer",
     .type = BS_OPT_STRING,
     .def = "DualSchemaIdDeserializer",
     .doc = "where a reader looks for the id of the key's schema: DualSchemaIdDeserializer, the "
            "header, else the five bytes; PrefixSchemaIdDeserializer, those alone"},
    {.name = "value.schema.id.deserializer",
     .type = BS_OPT_STRING,
     .def = "DualSchemaIdDeserializer",
     .doc = "the same for values"},
    {.name = "enhanced.avro.schema.support",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = "names and enums of Avro are always kept"},
    {.name = "connect.meta.data",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = "Weir writes Avro schemas without Connect's attributes"},
    {.name = "avro.fail.on.trailing.data",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = "bytes behind a value are always an error"},
    {.name = "latest.cache.size",
     .type = BS_OPT_INT,
     .flags = BS_OPT_IGNORED,
     .doc = "max.schemas.per.subject is the bound"},
    {.name = "missing.cache.size", .type = BS_OPT_INT, .flags = BS_OPT_IGNORED, .doc = NO_MISSING},
    {.name = "missing.id.cache.ttl.sec",
     .type = BS_OPT_INT,
     .flags = BS_OPT_IGNORED,
     .doc = NO_MISSING},
    {.name = "missing.version.cache.ttl.sec",
     .type = BS_OPT_INT,
     .flags = BS_OPT_IGNORED,
     .doc = NO_MISSING},
    {.name = "missing.schema.cache.ttl.sec",
     .type = BS_OPT_INT,
     .flags = BS_OPT_IGNORED,
     .doc = NO_MISSING},
    {.name = "url.randomize", .type = BS_OPT_BOOL, .flags = BS_OPT_IGNORED, .doc = NO_ORDER},
    {.name = "schema.registry.url.randomize",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = NO_ORDER},
    {.name = "use.apache.http.client",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = "there is one HTTP client"},
    {.name = "schemas.cache.config",
     .type = BS_OPT_INT,
     .flags = BS_OPT_IGNORED,
     .doc = "max.schemas.per.subject is the bound"},
    {.name = "specific.avro.reader",
     .type = BS_OPT_BOOL,
     .def = "false",
     .doc = "true is refused: " NO_CLASS},
    {.name = "specific.avro.key.type",
     .type = BS_OPT_STRING,
     .flags = BS_OPT_REFUSED,
     .doc = NO_CLASS},
    {.name = "specific.avro.value.type",
     .type = BS_OPT_STRING,
     .flags = BS_OPT_REFUSED,
     .doc = NO_CLASS},
    {.name = "schema.reflection", .type = BS_OPT_BOOL, .flags = BS_OPT_IGNORED, .doc = NO_JAVA},
    {.name = "avro.reflection.allow.null",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = NO_JAVA},
    {.name = "avro.use.logical.type.converters",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = NO_JAVA},
    {.name = "avro.remove.java.properties",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = NO_JAVA},
    {.name = "propagate.schema.tags",
     .type = BS_OPT_BOOL,
     .flags = BS_OPT_IGNORED,
     .doc = "tags are inherited by the registry's own rules"},
    {.name = "use.schema.guid",
     .type = BS_OPT_STRING,
     .flags = BS_OPT_REFUSED,
     .doc = "use.schema.id takes the number of the same schema"},
    {.name = "proxy.host", .type = BS_OPT_STRING, .flags = BS_OPT_REFUSED, .doc = NO_PROXY},
    {.name = "proxy.port", .type = BS_OPT_INT, .flags = BS_OPT_REFUSED, .doc = NO_PROXY},
    {.name = "rule.executors", .type = BS_OPT_STRING, .flags = BS_OPT_REFUSED, .doc = NO_RULES},
    {.name = "rule.actions", .type = BS_OPT_STRING, .flags = BS_OPT_REFUSED, .doc = NO_RULES},
    {.name = "bearer.auth.credentials.source",
     .type = BS_OPT_STRING,
     .doc = "STATIC_TOKEN: bearer.auth.token, which alone is enough too; the others are "
            "refused: " NO_OAUTH},
    {.name = "bearer.auth.token",
     .type = BS_OPT_PASSWORD,
     .doc = "a token that signs in at the registry, in place of user and password"},
    {.name = "bearer.auth.logical.cluster",
     .type = BS_OPT_STRING,
     .doc = "with the token: header target-sr-cluster"},
    {.name = "bearer.auth.identity.pool.id",
     .type = BS_OPT_STRING,
     .doc = "with the token: header Confluent-Identity-Pool-Id"},
    {.name = "bearer.auth.issuer.endpoint.url",
     .type = BS_OPT_STRING,
     .flags = BS_OPT_REFUSED,
     .doc = NO_OAUTH},
    {.name = "bearer.auth.client.id",
     .type = BS_OPT_STRING,
     .flags = BS_OPT_REFUSED,
     .doc = NO_OAUTH},
    {.name = "bearer.auth.client.secret",
     .type = BS_OPT_PASSWORD,
     .flags = BS_OPT_REFUSED,
     .doc = NO_OAUTH},
    {.name = "bearer.auth.scope", .type = BS_OPT_STRING, .flags = BS_OPT_REFUSED, .doc = NO_OAUTH},
    {.name = "bearer.auth.custom.provider.class",
     .type = BS_OPT_STRING,
     .flags = BS_OPT_REFUSED,
     .doc = NO_OAUTH},
    {.name = "ssl.ca.location",
     .type = BS_OPT_STRING,
     .doc = "PEM file of the authorities that an https registry is trusted by, instead of the "
            "system's"},
    {.name = "ssl.certificate.location",
     .type = BS_OPT_STRING,
     .doc = "PEM file of the certificate that is shown to the registry, with its chain"},
    {.name = "ssl.key.location",
     .type = BS_OPT_STRING,
     .doc = "PEM file of its key; without it the key stands in the certificate's file"},
    {.name = "ssl.key.password", .type = BS_OPT_PASSWORD, .doc = "password of that key"},
    {.name = "schema.registry.ssl.truststore.location",
     .type = BS_OPT_STRING,
     .doc = "as ssl.ca.location: PEM; a Java keystore or PKCS #12 is refused, with how to convert "
            "it"},
    {.name = "schema.registry.ssl.truststore.certificates",
     .type = BS_OPT_STRING,
     .doc = "the same as text: the PEM itself"},
    {.name = "schema.registry.ssl.truststore.type",
     .type = BS_OPT_STRING,
     .doc = "PEM; others are refused, with how to convert them"},
    {.name = "schema.registry.ssl.truststore.password",
     .type = BS_OPT_PASSWORD,
     .flags = BS_OPT_REFUSED,
     .doc = NO_STORE},
    {.name = "schema.registry.ssl.keystore.location",
     .type = BS_OPT_STRING,
     .doc = "PEM file of the client's certificate, its chain and its key"},
    {.name = "schema.registry.ssl.keystore.certificate.chain",
     .type = BS_OPT_STRING,
     .doc = "the certificate and its chain as text: the PEM itself"},
    {.name = "schema.registry.ssl.keystore.key",
     .type = BS_OPT_PASSWORD,
     .doc = "its key as text: the PEM itself"},
    {.name = "schema.registry.ssl.keystore.type",
     .type = BS_OPT_STRING,
     .doc = "PEM; others are refused, with how to convert them"},
    {.name = "schema.registry.ssl.keystore.password",
     .type = BS_OPT_PASSWORD,
     .flags = BS_OPT_REFUSED,
     .doc = NO_STORE "; the key's is schema.registry.ssl.key.password"},
    {.name = "schema.registry.ssl.key.password",
     .type = BS_OPT_PASSWORD,
     .doc = "as ssl.key.password"},
    {.name = "schema.registry.ssl.endpoint.identification.algorithm",
     .type = BS_OPT_ENUM,
     .def = "https",
     .words = "https",
     .doc = "the host's name must be one of its certificate's; that cannot be turned off"},
};

const struct bs_option_table rc_serde_options = {
    .title = "Avro serializers", .rows = ROWS, .count = sizeof ROWS / sizeof *ROWS};

int rc_serde_set_text(struct bs_config *config, const char *text, const char *source,
                      struct bs_error *err)
{
    const char *sign = strchr(text, '=');
    char *name;
    int rc;
    if (sign == NULL)
        return bs_error_set(err, BS_EINVAL, "%s takes NAME=VALUE, not '%s'", source, text);
    name = bs_strndup(text, (size_t)(sign - text));
    rc = bs_config_set(config, name, sign + 1, source, err);
    bs_free(name);
    return rc;
}

bool rc_serde_of_one_side(const char *name)
{
    return bs_option_find(&rc_serde_options, name) == NULL &&
           ((strncmp(name, "key.", 4) == 0 && bs_option_find(&rc_serde_options, name + 4)) ||
            (strncmp(name, "value.", 6) == 0 && bs_option_find(&rc_serde_options, name + 6)));
}

/* Whatever auto.register.schemas says: that is for writing. */
bool rc_serde_reads_latest(const struct bs_config *config)
{
    return bs_config_text(config, "use.latest.with.metadata") ||
           bs_config_bool(config, "use.latest.version");
}

int rc_serde_check(const struct bs_config *config, struct bs_error *err)
{
    if (bs_config_bool(config, "specific.avro.reader"))
        return bs_error_set(err, BS_EUNSUPPORTED, "option specific.avro.reader: " NO_CLASS);
    return 0;
}

static const struct bs_option_table *const TABLES[] = {&rc_serde_options};

/* What rc_secure holds, by option. */
static const struct secret {
    const char *name;
    enum rc_secret secret;
    bool file, pem;
} SECRETS[] = {
    {"bearer.auth.token", RC_BEARER_TOKEN, false, false},
    {"bearer.auth.logical.cluster", RC_LOGICAL_CLUSTER, false, false},
    {"bearer.auth.identity.pool.id", RC_IDENTITY_POOL, false, false},
    {"ssl.ca.location", RC_AUTHORITY_FILE, true, true},
    {"ssl.certificate.location", RC_CERTIFICATE_FILE, true, true},
    {"ssl.key.location", RC_KEY_FILE, true, true},
    {"ssl.key.password", RC_KEY_PASSWORD, false, false},
    {"schema.registry.ssl.truststore.location", RC_AUTHORITY_FILE, true, true},
    {"schema.registry.ssl.truststore.certificates", RC_AUTHORITY_TEXT, false, true},
    {"schema.registry.ssl.keystore.location", RC_CERTIFICATE_FILE, true, true},
    {"schema.registry.ssl.keystore.certificate.chain", RC_CERTIFICATE_TEXT, false, true},
    {"schema.registry.ssl.keystore.key", RC_KEY_TEXT, false, true},
    {"schema.registry.ssl.key.password", RC_KEY_PASSWORD, false, false},
};
enum { SECRETS_COUNT = sizeof SECRETS / sizeof *SECRETS };

/* Those that make another client: whom it asks, as whom, and how patiently. */
static const char *const WHOM[] = {
    "schema.registry.url",
    "basic.auth.credentials.source",
    "basic.auth.user.info",
    "schema.registry.basic.auth.user.info",
    "bearer.auth.credentials.source",
    "schema.registry.ssl.truststore.type",
    "schema.registry.ssl.keystore.type",
};
static const char *const PATIENCE[] = {
    "max.retries",          "retries.wait.ms", "retries.max.wait.ms", "http.connect.timeout.ms",
    "http.read.timeout.ms",
};

static bool among(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_whom(const char *name)
{
    for (size_t i = 0; i < SECRETS_COUNT; i++)
        if (strcmp(SECRETS[i].name, name) == 0)
            return true;
    return among(WHOM, sizeof WHOM / sizeof *WHOM, name);
}

static bool is_patience(const char *name)
{
    return among(PATIENCE, sizeof PATIENCE / sizeof *PATIENCE, name);
}

struct bs_config *rc_serde_config_new(void)
{
    return bs_config_new(TABLES, 1);
}

int rc_serde_set(struct bs_config *config, bool key, const char *name, const char *value,
                 const char *source, struct bs_error *err)
{
    static const char *const SIDES[] = {"value.", "key."};
    for (int side = 0; side < 2; side++) {
        const struct bs_option *row = bs_option_find(&rc_serde_options, name);
        size_t len = strlen(SIDES[side]);
        if (strncmp(name, SIDES[side], len) != 0)
            continue;
        if (row == NULL && (row = bs_option_find(&rc_serde_options, name + len)) != NULL)
            name += len;
        if (row && side != (int)key) /* of the other side, and checked there too */
            return bs_option_check(row, value, err);
        break;
    }
    return bs_config_set(config, name, value, source, err);
}

/* Two ways to sign in: who has chosen one does not take over the other. */
static bool signs_in(const struct bs_config *config, bool bearer)
{
    return bearer ? bs_config_is_set(config, "bearer.auth.token") ||
                        bs_config_is_set(config, "bearer.auth.credentials.source")
                  : bs_config_is_set(config, "basic.auth.user.info") ||
                        bs_config_is_set(config, "schema.registry.basic.auth.user.info") ||
                        bs_config_is_set(config, "basic.auth.credentials.source");
}

static bool other_way(const char *name, bool bearer, bool basic)
{
    return (strncmp(name, "bearer.", 7) == 0 && basic) || (strstr(name, "basic.auth.") && bearer);
}

int rc_serde_inherit(struct bs_config *config, const struct bs_config *from, struct bs_error *err)
{
    bool client = rc_serde_needs_client(config);
    bool other = bs_config_is_set(config, "schema.registry.url");
    bool bearer = signs_in(config, true), basic = signs_in(config, false);
    int rc = 0;
    for (size_t i = 0; i < rc_serde_options.count && rc == 0; i++) {
        const char *name = ROWS[i].name;
        if (!bs_config_is_set(from, name) || bs_config_is_set(config, name) ||
            (is_whom(name) && (!client || other)) || (is_patience(name) && !client) ||
            other_way(name, bearer, basic))
            continue;
        rc = bs_config_set(config, name, bs_config_text(from, name), bs_config_source(from, name),
                           err);
    }
    return rc;
}

void rc_serde_copy(struct bs_config *config, const struct bs_config *from)
{
    for (size_t i = 0; i < rc_serde_options.count; i++)
        if (bs_config_is_set(from, ROWS[i].name))
            bs_config_set(config, ROWS[i].name, bs_config_text(from, ROWS[i].name),
                          bs_config_source(from, ROWS[i].name), NULL);
}

bool rc_serde_needs_client(const struct bs_config *config)
{
    for (size_t i = 0; i < rc_serde_options.count; i++)
        if ((is_whom(ROWS[i].name) || is_patience(ROWS[i].name)) &&
            bs_config_is_set(config, ROWS[i].name))
            return true;
    return false;
}

static int check_secret(const struct secret *row, const char *text, struct bs_error *err)
{
    if (row->file)
        return rc_secure_check_file(row->name, text, err);
    if (row->pem)
        return strstr(text, "-----BEGIN ")
                   ? 0
                   : bs_error_set(err, BS_EINVAL, "option %s: this is no PEM", row->name);
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20)
            return bs_error_set(err, BS_EINVAL, "option %s: a control character (a line's end?)",
                                row->name);
    return 0;
}

/* "file" and its "text" stand beside each other: one of them. */
static int take_secret(const struct secret *row, const char *text, const char **names,
                       struct rc_secure *ret, struct bs_error *err)
{
    enum rc_secret first = row->pem && !row->file ? row->secret - 1 : row->secret;
    if (names[first])
        return bs_error_set(err, BS_EINVAL, "options %s and %s say the same: one of them",
                            names[first], row->name);
    names[first] = row->name;
    ret->text[row->secret] = text;
    return check_secret(row, text, err);
}

static int check_types(const struct bs_config *config, struct bs_error *err)
{
    static const char *const TYPES[] = {"schema.registry.ssl.truststore.type",
                                        "schema.registry.ssl.keystore.type"};
    const char *source = bs_config_text(config, "bearer.auth.credentials.source");
    for (size_t i = 0; i < 2; i++) {
        const char *type = bs_config_text(config, TYPES[i]);
        if (type && strcasecmp(type, "PEM") != 0)
            return bs_error_set(err, BS_EUNSUPPORTED,
                                "option %s: %s is not read; PEM is\n  hint: keytool "
                                "-importkeystore -srckeystore STORE -destkeystore store.p12 "
                                "-deststoretype PKCS12 && openssl pkcs12 -in store.p12 -nodes -out "
                                "store.pem",
                                TYPES[i], type);
    }
    if (source && strcmp(source, "STATIC_TOKEN") != 0)
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "option bearer.auth.credentials.source: %s: " NO_OAUTH, source);
    return 0;
}

static int read_secure(const struct bs_config *config, struct rc_secure *ret, struct bs_error *err)
{
    const char *names[RC_SECRET_COUNT] = {NULL};
    int rc = check_types(config, err);
    *ret = (struct rc_secure){0};
    for (size_t i = 0; i < SECRETS_COUNT && rc == 0; i++) {
        const char *text = bs_config_text(config, SECRETS[i].name);
        if (text)
            rc = take_secret(&SECRETS[i], text, names, ret, err);
    }
    if (rc < 0)
        return rc;
    if (names[RC_BEARER_TOKEN] == NULL &&
        (names[RC_LOGICAL_CLUSTER] || names[RC_IDENTITY_POOL] ||
         bs_config_is_set(config, "bearer.auth.credentials.source")))
        return bs_error_set(err, BS_EINVAL,
                            "bearer.auth.credentials.source is STATIC_TOKEN, or a cluster or pool "
                            "is named, but bearer.auth.token is not set");
    if (names[RC_CERTIFICATE_FILE] == NULL && (names[RC_KEY_FILE] || names[RC_KEY_PASSWORD]))
        return bs_error_set(err, BS_EINVAL,
                            "option %s: a key without a certificate\n  hint: "
                            "ssl.certificate.location",
                            names[RC_KEY_FILE] ? names[RC_KEY_FILE] : names[RC_KEY_PASSWORD]);
    return 0;
}

int rc_client_of(const struct bs_config *config, const char *url, struct rc_client **ret,
                 struct bs_error *err)
{
    struct rc_options options = {
        .url = bs_config_text(config, "schema.registry.url"),
        .user_info = bs_config_text(config, "basic.auth.user.info"),
        .timeout_ms = (int)bs_config_int(config, "http.read.timeout.ms"),
        .connect_timeout_ms = (int)bs_config_int(config, "http.connect.timeout.ms"),
        .retries_max = (int)bs_config_int(config, "max.retries"),
        .retries_wait_ms = (int)bs_config_int(config, "retries.wait.ms"),
        .retries_max_wait_ms = (int)bs_config_int(config, "retries.max.wait.ms")};
    const char *source = bs_config_text(config, "basic.auth.credentials.source");
    int rc = read_secure(config, &options.secure, err);
    if (rc < 0)
        return rc;
    if (options.url == NULL)
        options.url = url;
    if (options.retries_max == 0)
        options.retries_max = -1;
    if (options.user_info == NULL)
        options.user_info = bs_config_text(config, "schema.registry.basic.auth.user.info");
    if (strcmp(source, "USER_INFO") == 0 && options.user_info == NULL)
        return bs_error_set(err, BS_EINVAL,
                            "basic.auth.credentials.source is USER_INFO, but basic.auth.user.info "
                            "is not set");
    if (strcmp(source, "URL") == 0 && bs_config_is_set(config, "basic.auth.credentials.source"))
        options.user_info = NULL;
    return rc_client_new(&options, ret, err);
}
