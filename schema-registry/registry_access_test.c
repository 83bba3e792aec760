/* Registry: every route asks who it is and what he may; who may little sees little. */
#include "schema-registry/registry_test.h"

#include "schema-registry/access.h"
#include "schema-registry/route.h"

enum { USERS = 3 };

static const char *const infos[USERS] = {"root:secret", "nobody:secret", "part:secret"};
static struct rc_client *clients[USERS], *stranger, *own;
static char path[64];

static void write_users(void)
{
    char hash[SR_HASH_TEXT];
    FILE *file;
    snprintf(path, sizeof path, "/tmp/weir-access-XXXXXX");
    file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    assert_int_equal(sr_password_hash(SR_HASH_SHA256, "salt", bs_bytes_text("secret"), hash, NULL),
                     0);
    fputs("{\"users\":[", file);
    for (int i = 0; i < USERS; i++)
        fprintf(file,
                "%s{\"username\":\"%.*s\",\"algorithm\":\"sha256\",\"salt\":\"salt\","
                "\"password_hash\":\"%s\"}",
                i ? "," : "", (int)strcspn(infos[i], ":"), infos[i], hash);
    fputs("],\"permissions\":[{\"username\":\"root\",\"operation\":\"Admin\",\"resource\":\".*\"},"
          "{\"username\":\"part\",\"operation\":\"Write\",\"resource\":\"Subject:mine-.*\"},"
          "{\"username\":\"part\",\"operation\":\"Write\",\"resource\":\"Subject::.[ab]:x\"},"
          "{\"username\":\"part\",\"operation\":\"Write\",\"resource\":\"Config::[.]b:\"}]}",
          file);
    fclose(file);
}

static struct rc_client *client_of(const char *user_info)
{
    struct rc_options options = {.timeout_ms = 30000, .user_info = user_info, .retries_max = -1};
    struct bs_buf health = BS_BUF_INIT;
    struct rc_client *client = NULL;
    struct bs_error err;
    char url[300], *listen;
    assert_true(sr_role.health(t.role, &health) == 0);
    listen = strstr(bs_buf_text(&health), "\"listen\":\"") + strlen("\"listen\":\"");
    snprintf(url, sizeof url, "http://%.*s", (int)strcspn(listen, "\""), listen);
    options.url = url;
    assert_int_equal(rc_client_new(&options, &client, &err), 0);
    bs_buf_deinit(&health);
    return client;
}

static int open_all(void **state)
{
    write_users();
    t.users = path;
    t.user_info = infos[0];
    setup(state);
    own = t.client;
    for (int i = 0; i < USERS; i++)
        clients[i] = client_of(infos[i]);
    stranger = client_of(NULL);
    return 0;
}

static int close_all(void **state)
{
    for (int i = 0; i < USERS; i++)
        rc_client_free(clients[i]);
    rc_client_free(stranger);
    t.client = own; /* also after a failure */
    teardown(state);
    unlink(path);
    return 0;
}

static int ask(struct rc_client *client, const struct ht_route *row, const char *target,
               struct bs_buf *out)
{
    bool body = strcmp(row->method, "POST") == 0 || strcmp(row->method, "PUT") == 0;
    struct bs_error err = {0};
    int status = 0;
    bs_buf_reset(out);
    if (rc_request(client, row->method, target, body ? INT_SCHEMA : NULL, out, &status, &err) < 0)
        fail_msg("%s %s: %s", row->method, target, err.text);
    return status;
}

/* The pattern with a name for each of its parameters. */
static char *target_of(const char *pattern, const char *subject)
{
    static const char *const names[][2] = {{"{version}", "1"},
                                           {"{id}", "1"},
                                           {"{guid}", "a"},
                                           {"{context}", ".x"},
                                           {"{file}", "page.css"}};
    struct bs_buf out = BS_BUF_INIT;
    char *made;
    for (const char *p = pattern; *p;) {
        size_t len = *p == '{' ? strcspn(p, "}") + 1 : strcspn(p, "{");
        const char *name = NULL;
        if (*p == '{' && strncmp(p, "{subject}", len) == 0)
            name = subject;
        for (size_t i = 0; *p == '{' && name == NULL && i < 5; i++)
            if (strncmp(p, names[i][0], len) == 0)
                name = names[i][1];
        if (name)
            bs_buf_puts(&out, name);
        else
            bs_buf_put(&out, p, len);
        p += len;
    }
    made = bs_strdup(bs_buf_text(&out));
    bs_buf_deinit(&out);
    return made;
}

static void test_every_route(void **state)
{
    static const char *const subjects[] = {"s", ":.a:s", "mine", ":.a:"};
    struct bs_buf out = BS_BUF_INIT;
    (void)state;
    for (size_t i = 0; i < sr_route_count; i++) {
        const struct ht_route *row = &sr_routes[i];
        for (size_t k = 0; k < sizeof subjects / sizeof *subjects; k++) {
            char *target = target_of(row->pattern, subjects[k]);
            int status = ask(stranger, row, target, &out);
            if ((status == 401) != (row->right != SR_OPEN))
                fail_msg("%s %s by nobody: %d %s", row->method, target, status, bs_buf_text(&out));
            for (int user = 1; user < USERS && row->right >= SR_READ_SUBJECT; user++) {
                status = ask(clients[user], row, target, &out);
                /* a context is a subject's place only where settings are */
                if (status == 422 && *target && strstr(bs_buf_text(&out), "42208"))
                    continue;
                if (status != 403 || strstr(bs_buf_text(&out), "\"error_code\":40301") == NULL)
                    fail_msg("%s %s by %s: %d %s", row->method, target, infos[user], status,
                             bs_buf_text(&out));
            }
            bs_free(target);
        }
    }
    bs_buf_deinit(&out);
}

static void by(int user, const char *method, const char *target, const char *body, int status,
               const char *want)
{
    t.client = clients[user];
    expect(method, target, body, status, want);
    t.client = own;
}

#define REFERENCE(subject)                                                             \
    "{\"schema\":\"\\\"R\\\"\",\"references\":[{\"name\":\"R\",\"subject\":\"" subject \
    "\",\"version\":1}]}"

/* The path of the GUID that the answer to a registration tells. */
static void keep_guid(const char *subject, char *ret, size_t cap)
{
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    char target[100];
    const char *at;
    int status;
    snprintf(target, sizeof target, "/subjects/%s/versions/1", subject);
    assert_int_equal(rc_request(clients[0], "GET", target, NULL, &out, &status, &err), 0);
    at = strstr(bs_buf_text(&out), "\"guid\":\"");
    assert_non_null(at);
    snprintf(ret, cap, "/schemas/guids/%.36s", at + 8);
    bs_buf_deinit(&out);
}

static void test_what_is_seen(void **state)
{
    static const char *const hidden[] = {"/schemas/ids/%d", "/schemas/ids/%d?subject=r",
                                         "/schemas/ids/%d/schema", "/schemas/ids/%d/subjects",
                                         "/schemas/ids/%d/versions?subject=r"};
    char guid[100];
    (void)state;
    by(0, "POST", "/subjects/mine-a/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    by(0, "POST", "/subjects/r/versions", RECORD(FIELD("x", INT)), 200, "{\"id\":2,…");
    keep_guid("r", guid, sizeof guid);
    by(0, "POST", "/subjects/mine-r/versions", RECORD(FIELD("y", INT)), 200, "{\"id\":3,…");
    by(0, "POST", "/subjects/:.a:x/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    by(0, "POST", "/subjects/:.c:x/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    by(2, "GET", "/subjects", NULL, 200, "[\":.a:x\",\"mine-a\",\"mine-r\"]");
    by(2, "GET", "/subjects?details=true&subjectPrefix=mine-r", NULL, 200,
       "[{\"subject\":\"mine-r\",…");
    by(2, "GET", "/contexts", NULL, 200, "[\".\",\".a\"]");
    by(1, "GET", "/contexts", NULL, 200, "[\".\"]");
    by(0, "GET", "/contexts", NULL, 200, "[\".\",\".a\",\".c\"]");
    by(2, "GET", "/schemas/ids/1", NULL, 200, "…\\\"int\\\"");
    by(2, "GET", "/schemas/ids/1?subject=mine-a", NULL, 200, "…\"subject\":\"mine-a\"");
    /* an id that only others use is like one that nobody uses */
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        char target[64], want[200];
        for (int id = 2; id <= 99; id += 97) {
            snprintf(target, sizeof target, hidden[i], id);
            snprintf(want, sizeof want,
                     "{\"error_code\":40403,\"message\":\"Schema %d not found among the subjects "
                     "that user 'part' may read\"}",
                     id);
            by(2, "GET", target, NULL, 404, want);
        }
    }
    by(2, "GET", guid, NULL, 404, "…not found among the subjects that user 'part' may read\"}");
    by(2, "GET", "/schemas/guids/00000000-0000-0000-0000-000000000000", NULL, 404,
       "…not found among the subjects that user 'part' may read\"}");
    by(0, "GET", guid, NULL, 200, "…\"schemaType\":\"AVRO\"");
    by(2, "GET", "/schemas/ids/1?subject=:.c:", NULL, 404, "…40403");
    by(2, "GET", "/schemas/ids/1?subject=:.c:x", NULL, 404, "…40403");
    by(2, "GET", "/schemas/ids/1?subject=:.a:", NULL, 200, "…\\\"int\\\"");
    by(1, "GET", "/schemas/ids/1", NULL, 404, "…40403");
    by(0, "GET", "/schemas/ids/99", NULL, 404, "…\"Schema 99 not found\"}");
    /* a reference shows what it refers to */
    by(2, "POST", "/subjects/mine-b/versions", REFERENCE("r"), 403, "…Read on Subject:r");
    by(2, "POST", "/compatibility/subjects/mine-b/versions", REFERENCE("r"), 403, "…40301");
    by(2, "POST", "/subjects/mine-b/versions", REFERENCE("mine-r"), 200, "…\"id\":4");
    by(0, "POST", "/subjects/other/versions", REFERENCE("mine-r"), 200, "…\"id\":4");
    by(0, "POST", "/subjects/third/versions",
       "{\"schema\":\"[\\\"null\\\",\\\"R\\\"]\",\"references\":[{\"name\":\"R\",\"subject\":"
       "\"mine-r\",\"version\":1}]}",
       200, "…\"id\":5");
    by(2, "GET", "/subjects/mine-r/versions/1/referencedby", NULL, 200, "[4]");
    by(0, "GET", "/subjects/mine-r/versions/1/referencedby", NULL, 200, "[4,5]");
    by(2, "GET", "/schemas/ids/4/subjects", NULL, 200, "[\"mine-b\"]");
    /* an alias has the right of what it stands for */
    by(0, "PUT", "/config/mine-alias", "{\"alias\":\"r\"}", 200, "…alias");
    by(2, "GET", "/subjects/mine-alias/versions", NULL, 403, "…Read on Subject:r");
    /* settings of a context are its config */
    by(2, "PUT", "/config/:.b:", "{\"compatibility\":\"FULL\"}", 200, "…FULL");
    by(2, "PUT", "/config/:.a:", "{\"compatibility\":\"FULL\"}", 403, "…Write on Config::.a:");
    by(2, "PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"FULL\"}", 403, "…Write on Config:");
    by(2, "PUT", "/contexts/.a/config", "{\"compatibility\":\"FULL\"}", 403, "…Config::.a:");
    by(0, "PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"FULL\"}", 200, "…FULL");
    by(2, "DELETE", "/contexts/.b", NULL, 403, "…40301");
    by(2, "DELETE", "/subjects/mine-a", NULL, 200, "[1]");
    by(2, "GET", "/schemas/ids/1", NULL, 200, "…\\\"int\\\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_route, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_what_is_seen, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
