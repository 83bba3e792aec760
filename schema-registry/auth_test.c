/* Auth: hashes against hashlib's, files that are right and wrong, credentials, a changing file, and
 * that every route names its right. */
#include "schema-registry/access.h"
#include "schema-registry/reason.h"
#include "schema-registry/route.h"

#include "lib/base/mem.h"

#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Python: base64(hashlib.scrypt(b"secret", salt=b"salt", n=16384, r=8, p=1)), pbkdf2_hmac(…, 5000)
 */
#define SCRYPT \
    "Bf+uvMpBdwr0JdS6m057zf9TIjfcqTHBkqNtlNtzB9TC35XmBlFLQRPMs608GffKZI43OhEqa4KQ86aYGKqbfg=="
#define SHA256 "7ZGPbVNZIB/myxbcOkz8BR/eQmW4Yy1zqkF3W7DSWMM="
#define SHA512 \
    "CUXHCPbYxKenfgrWHqiIuqAd1VCVkR7YWGdyCnmRFCyRFsblNuriBcesDSvgaxCPb397R4ueFcjWzBcCNtGOYw=="

#define USER(name, algorithm, hash)                               \
    "{\"username\":\"" name "\",\"algorithm\":\"" algorithm "\"," \
    "\"salt\":\"salt\",\"password_hash\":\"" hash "\"}"
#define MAY(name, operation, resource)                            \
    "{\"username\":\"" name "\",\"operation\":\"" operation "\"," \
    "\"resource\":\"" resource "\"}"
#define FILE_OF(users, permissions) "{\"users\":[" users "],\n\"permissions\":[" permissions "]}"

static void test_password(void **state)
{
    static const char *const want[] = {SCRYPT, SHA256, SHA512};
    char made[SR_HASH_TEXT], salt[SR_SALT_TEXT], other[SR_SALT_TEXT], long_one[SR_PASSWORD_MAX + 1];
    struct bs_error err;
    (void)state;
    for (int i = 0; i < SR_HASH_COUNT; i++) {
        enum sr_hash hash = SR_HASH_COUNT;
        assert_int_equal(sr_hash_parse(bs_bytes_text(sr_hash_name((enum sr_hash)i)), &hash, &err),
                         0);
        assert_int_equal(hash, i);
        assert_int_equal(sr_password_hash(hash, "salt", bs_bytes_text("secret"), made, &err), 0);
        assert_string_equal(made, want[i]);
        assert_true(sr_password_is(hash, "salt", made, bs_bytes_text("secret")));
        assert_false(sr_password_is(hash, "salt", made, bs_bytes_text("Secret")));
        assert_false(sr_password_is(hash, "salt", made, bs_bytes("", 0)));
        assert_false(sr_password_is(hash, "Salt", made, bs_bytes_text("secret")));
        assert_false(sr_password_is(hash, "salt", "", bs_bytes_text("secret")));
        made[0] ^= 1;
        assert_false(sr_password_is(hash, "salt", made, bs_bytes_text("secret")));
    }
    memset(long_one, 'x', sizeof long_one);
    assert_int_equal(
        sr_password_hash(SR_HASH_SHA256, "salt", bs_bytes(long_one, sizeof long_one), made, &err),
        BS_ELIMIT);
    assert_int_equal(sr_password_salt(salt, &err), 0);
    assert_int_equal(sr_password_salt(other, &err), 0);
    assert_int_equal(strlen(salt), SR_SALT_TEXT - 1);
    assert_string_not_equal(salt, other);
}

static struct sr_users *read_users(const char *text)
{
    struct sr_users *users = NULL;
    struct bs_error err = {0};
    if (sr_users_read(bs_bytes_text(text), "users.json", &users, &err) < 0)
        fail_msg("%s", err.text);
    return users;
}

static void test_rights(void **state)
{
    struct sr_users *users = read_users(FILE_OF(
        USER("ann", "scrypt", SCRYPT) "," USER("bob", "sha256", SHA256) "," USER(
            "root", "sha512", SHA512) "," USER("none", "scrypt", SCRYPT),
        MAY("ann", "Read", "Subject:orders-.*") "," MAY("ann", "Write", "Subject:orders-v") "," MAY(
            "bob", "Admin", "Subject:(a|b)[0-9]+") "," MAY("bob", "Read",
                                                           "Config:") "," MAY("root", "Admin",
                                                                              ".*")));
    const struct sr_user *ann = sr_users_find(users, "ann"), *bob = sr_users_find(users, "bob");
    const struct sr_user *root = sr_users_find(users, "root"), *none = sr_users_find(users, "none");
    (void)state;
    assert_int_equal(sr_users_count(users), 4);
    assert_null(sr_users_find(users, "eve"));
    assert_null(sr_users_find(users, ""));
    assert_true(sr_user_may(ann, SR_OP_READ, "Subject", "orders-value"));
    assert_true(sr_user_may(ann, SR_OP_READ, "Subject", "orders-"));
    assert_false(sr_user_may(ann, SR_OP_READ, "Subject", "orders"));
    assert_false(sr_user_may(ann, SR_OP_READ, "Subject", "x-orders-value"));
    assert_false(sr_user_may(ann, SR_OP_WRITE, "Subject", "orders-value"));
    assert_true(sr_user_may(ann, SR_OP_WRITE, "Subject", "orders-v"));
    assert_false(sr_user_may(ann, SR_OP_ADMIN, "Subject", "orders-v"));
    assert_false(sr_user_may(ann, SR_OP_READ, "Config", ""));
    assert_true(sr_user_may(bob, SR_OP_ADMIN, "Subject", "a1"));
    assert_true(sr_user_may(bob, SR_OP_READ, "Subject", "b22"));
    assert_false(sr_user_may(bob, SR_OP_READ, "Subject", "b22x")); /* all of it has to fit */
    assert_false(sr_user_may(bob, SR_OP_READ, "Subject", "ab1"));
    assert_true(sr_user_may(bob, SR_OP_READ, "Config", ""));
    assert_false(sr_user_may(bob, SR_OP_READ, "Config", ":.ctx:"));
    assert_true(sr_user_may(root, SR_OP_ADMIN, "Subject", ":.ctx:x"));
    assert_true(sr_user_may(root, SR_OP_ADMIN, "Config", ""));
    assert_false(sr_user_may(none, SR_OP_READ, "Subject", "orders-v"));
    assert_true(sr_user_may_all(root));
    assert_false(sr_user_may_all(ann));
    sr_users_free(users);
    sr_users_free(NULL);
}

static void test_resources_as_text(void **state)
{
    static const struct {
        const char *resource, *name;
        bool may;
    } rows[] = {
        {"Subject:a\\\\.b", "a.b", true},
        {"Subject:a\\\\.b", "axb", false},
        {"Subject:a.b", "axb", true},
        {"Subject:a|Subject:b", "b", true},
        {"Subject:a|Subject:b", "bc", false},
        {"Subject:a[.-]x.*", "a-xyz", true},
        {"S.*", "anything", true},
        {"Subject", "", false},
        {"Subject:[[:alpha:]]{2}", "ab", true},
        {"Subject:[[:alpha:]]{2}", "a1", false},
        {"Subject::\\\\.ctx:.*", ":.ctx:a", true},
        {"Subject:.*-value", "x-value", true},
        {"Subject:.*-value", "x-value2", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = bs_asprintf(FILE_OF(USER("u", "sha256", SHA256), MAY("u", "Read", "%s")),
                                 rows[i].resource);
        struct sr_users *users = read_users(text);
        if (sr_user_may(sr_users_find(users, "u"), SR_OP_READ, "Subject", rows[i].name) !=
            rows[i].may)
            fail_msg("%s on %s", rows[i].resource, rows[i].name);
        sr_users_free(users);
        bs_free(text);
    }
}

static void test_bad_files(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "users.json: "},
        {"{\n\"users\":[}", "users.json: JSON, line 2"},
        {"[]", "not a JSON object"},
        {"{}", "\"users\" is missing"},
        {"{\"users\":{}}", "\"users\" is missing or not a list"},
        {FILE_OF("7", ""), "users, entry 1: \"username\""},
        {FILE_OF(USER("a", "scrypt", SCRYPT) ",{\"username\":\"b\"}", ""),
         "users, entry 2: \"algorithm\" is missing"},
        {FILE_OF(USER("a", "md5", "x"), ""), "user \"a\": algorithm \"md5\" is not known"},
        {FILE_OF(USER("a", "sha1", "x"), ""), "accepted are scrypt, sha256 and sha512"},
        {FILE_OF(USER("a:b", "scrypt", "x"), ""), "has a ':'"},
        {FILE_OF(USER("a\\u0000b", "scrypt", "x"), ""), "NUL"},
        {FILE_OF(USER("a", "scrypt", SCRYPT SCRYPT), ""), "too long"},
        {FILE_OF(USER("a", "scrypt", "x") "," USER("b", "scrypt", "x") "," USER("a", "scrypt", "y"),
                 ""),
         "user \"a\" is there twice"},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("b", "Read", ".*")),
         "permissions, entry 1: user \"b\" is not in \"users\""},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "read", ".*")),
         "not one of Read, Write and Admin"},
        {FILE_OF(USER("a", "scrypt", "x"),
                 MAY("a", "Read", ".*") "," MAY("a", "Read", "Subject:(")),
         "permissions, entry 2: resource \"Subject:(\" is not a POSIX extended"},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "Read", "Subject:a)|(.*")),
         "not a POSIX extended"},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "Read", "Subject:\\\\d+")), "[0-9] for \\d"},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "Read", "Subject:[a\\\\-z]")), "in [ ]"},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "Read", "Subject:[a-z")), "not a POSIX"},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "Read", "Subject:(?i)a")), "\"(?\""},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "Read", "Subject:a.*?")), "lazy"},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "Read", "Subject:((a{9}){9}){9}")),
         "more than two bounds"},
        {FILE_OF(USER("a", "scrypt", "x"), MAY("a", "Read", "")), "\"resource\" is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sr_users *users = NULL;
        struct bs_error err = {0};
        if (sr_users_read(bs_bytes_text(rows[i].text), "users.json", &users, &err) == 0)
            fail_msg("accepted: %s", rows[i].text);
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s\n says %s\n want %s", rows[i].text, err.text, rows[i].says);
    }
}

/* ---- with a file ---- */

static char path[64];

static void write_file(const char *text)
{
    char next[80];
    FILE *file;
    snprintf(next, sizeof next, "%s.next", path);
    file = fopen(next, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(next, path), 0);
}

static int setup(void **state)
{
    int fd;
    (void)state;
    snprintf(path, sizeof path, "/tmp/weir-users-XXXXXX");
    fd = mkstemp(path);
    close(fd);
    write_file(FILE_OF(USER("ann", "scrypt", SCRYPT), ""));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static int check_from(struct sr_auth *auth, uint64_t client, const char *header, bool may_block)
{
    struct sr_identity identity;
    struct bs_error err = {0};
    int rc = sr_auth_check(auth, header, client, may_block, &identity, &err);
    if (rc == 0)
        assert_string_equal(identity.user->name, "ann");
    else
        assert_null(identity.user);
    sr_auth_release(auth, &identity);
    return rc;
}

static int check(struct sr_auth *auth, const char *header, bool may_block)
{
    return check_from(auth, 1, header, may_block);
}

#define ANN_SECRET "Basic YW5uOnNlY3JldA=="
#define ANN_WRONG  "Basic YW5uOndyb25n"
#define BOB_SECRET "Basic Ym9iOnNlY3JldA=="

static void test_check(void **state)
{
    struct sr_auth *auth;
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(sr_auth_open(path, &auth, &err), 0);
    assert_int_equal(check(auth, NULL, true), BS_EDENIED);
    assert_int_equal(check(auth, "", true), BS_EDENIED);
    assert_int_equal(check(auth, "Bearer x", true), BS_EINVAL);
    assert_int_equal(check(auth, "Basic", true), BS_EINVAL);
    assert_int_equal(check(auth, "Basic ", true), BS_EINVAL);
    assert_int_equal(check(auth, "Basic !!!!", true), BS_EINVAL);
    assert_int_equal(check(auth, "Basic YW5uOn", true), BS_EINVAL);
    assert_int_equal(check(auth, "Basic YW5u", true), BS_EINVAL); /* "ann" without ':' */
    assert_int_equal(check(auth, ANN_SECRET, false), 1);
    assert_int_equal(check(auth, ANN_SECRET, true), 0);
    assert_int_equal(check(auth, ANN_SECRET, false), 0); /* known again */
    assert_int_equal(check(auth, ANN_WRONG, false), 1);
    assert_int_equal(check(auth, ANN_WRONG, true), BS_EDENIED);
    assert_int_equal(check(auth, ANN_WRONG, false), BS_EDENIED); /* known too */
    assert_int_equal(check(auth, BOB_SECRET, true), BS_EDENIED);
    sr_auth_close(auth);
    sr_auth_close(NULL);
    assert_int_equal(sr_auth_open("/nowhere/users", &auth, &err), BS_ENOTFOUND);
    assert_non_null(strstr(err.text, "/nowhere/users (authentication.file)"));
}

/* Waits until the answer is what it should become, the file being looked at once a second. */
static void becomes(struct sr_auth *auth, const char *header, int want)
{
    for (int i = 0; check(auth, header, true) != want; i++) {
        if (i == 1000)
            fail_msg("%s does not become %d", header, want);
        poll(NULL, 0, 10);
    }
}

static void test_changing_file(void **state)
{
    struct sr_auth *auth;
    struct bs_error err = {0};
    struct bs_buf health = BS_BUF_INIT;
    struct sr_identity held;
    (void)state;
    assert_int_equal(sr_auth_open(path, &auth, &err), 0);
    assert_int_equal(sr_auth_check(auth, ANN_SECRET, 1, true, &held, &err), 0);
    write_file(FILE_OF(USER("bob", "scrypt", SCRYPT), ""));
    becomes(auth, ANN_SECRET, BS_EDENIED);
    assert_string_equal(held.user->name, "ann"); /* who began before keeps what he had */
    sr_auth_release(auth, &held);
    write_file(FILE_OF(USER("ann", "sha256", SHA256), ""));
    becomes(auth, ANN_SECRET, 0);
    write_file("{\"users\":");
    for (int i = 0; strstr(bs_buf_text(&health), "error") == NULL; i++) {
        assert_true(i < 1000);
        poll(NULL, 0, 10);
        bs_buf_reset(&health);
        sr_auth_health(auth, &health);
    }
    assert_non_null(strstr(bs_buf_text(&health), "{\"users\":1,\"error\":\"/tmp/weir-users-"));
    assert_int_equal(check(auth, ANN_SECRET, true), 0);
    unlink(path);
    assert_int_equal(check(auth, ANN_SECRET, true), 0);
    write_file(FILE_OF(USER("bob", "scrypt", SCRYPT) "," USER("cat", "scrypt", SCRYPT), ""));
    becomes(auth, ANN_SECRET, BS_EDENIED);
    bs_buf_reset(&health);
    sr_auth_health(auth, &health);
    assert_string_equal(bs_buf_text(&health), "{\"users\":2}");
    bs_buf_deinit(&health);
    sr_auth_close(auth);
}

struct crowd {
    struct sr_auth *auth;
    pthread_barrier_t *together;
    const char *header;
    int rc;
};

static void *sign_in(void *arg)
{
    struct crowd *one = arg;
    pthread_barrier_wait(one->together);
    one->rc = check(one->auth, one->header, true);
    return NULL;
}

/* Many with the same credentials are let in by one comparison; many different ones are not all
 * compared. */
static void test_crowd(void **state)
{
    enum { CROWD = SR_SIGN_INS_OF_CLIENT_MAX };
    struct crowd crowd[CROWD];
    pthread_t threads[CROWD];
    pthread_barrier_t together;
    char headers[CROWD][64];
    struct bs_error err = {0};
    struct sr_auth *auth;
    int busy = 0;
    (void)state;
    pthread_barrier_init(&together, NULL, CROWD);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(sr_auth_open(path, &auth, &err), 0);
        for (int i = 0; i < CROWD; i++) { /* "ann:xx…" with other letters each */
            snprintf(headers[i], sizeof headers[i], "Basic YW5uOnh4%c%c%cx", 'A' + i % 26,
                     'A' + i / 26, 'A');
            crowd[i] = (struct crowd){.auth = auth, .together = &together};
            crowd[i].header = round ? headers[i] : ANN_SECRET;
            pthread_create(&threads[i], NULL, sign_in, &crowd[i]);
        }
        for (int i = 0; i < CROWD; i++) {
            pthread_join(threads[i], NULL);
            if (round == 0)
                assert_int_equal(crowd[i].rc, 0);
            else if (crowd[i].rc == BS_EBUSY)
                busy++;
            else
                assert_int_equal(crowd[i].rc, BS_EDENIED);
        }
        sr_auth_close(auth);
    }
    assert_true(busy > 0);
    pthread_barrier_destroy(&together);
}

struct guessing {
    struct sr_auth *auth;
    uint64_t client;
    char name; /* '\0': another one each time */
    atomic_bool end;
    atomic_int compared, busy;
};

/* Wrong credentials one after the other, without a pause. */
static void *guess(void *arg)
{
    struct guessing *g = arg;
    static atomic_uint serial;
    while (!atomic_load(&g->end)) {
        char text[32], header[64] = "Basic ";
        unsigned number = atomic_fetch_add(&serial, 1);
        struct sr_identity identity;
        struct bs_error err = {0};
        int len = g->name ? snprintf(text, sizeof text, "%c:%u", g->name, number)
                          : snprintf(text, sizeof text, "%u:x", number);
        int rc;
        EVP_EncodeBlock((uint8_t *)header + 6, (const uint8_t *)text, len);
        rc = sr_auth_check(g->auth, header, g->client, true, &identity, &err);
        assert_true(rc == BS_EDENIED || rc == BS_EBUSY);
        atomic_fetch_add(rc == BS_EDENIED ? &g->compared : &g->busy, 1);
    }
    return NULL;
}

/* While others guess without end: credentials that are known stay so when the file changes, and new
 * ones are let in at the first try, from the same address beside one guessed name, from another
 * one whatever is guessed. */
static void test_guessing(void **state)
{
    enum { GUESSERS = SR_SIGN_INS_OF_CLIENT_MAX };
    struct sr_auth *auth;
    struct bs_error err = {0};
    struct bs_buf health = BS_BUF_INIT;
    pthread_t threads[GUESSERS];
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct guessing g = {.client = 1, .name = round ? '\0' : 'b'};
        write_file(FILE_OF(USER("ann", "scrypt", SCRYPT) "," USER("b", "sha256", SHA256), ""));
        assert_int_equal(sr_auth_open(path, &auth, &err), 0);
        g.auth = auth;
        for (int i = 0; i < GUESSERS; i++)
            pthread_create(&threads[i], NULL, guess, &g);
        while (atomic_load(&g.busy) < 100 || atomic_load(&g.compared) == 0)
            poll(NULL, 0, 1);
        assert_int_equal(check_from(auth, round ? 2 : 1, ANN_SECRET, true), 0);
        write_file(FILE_OF(USER("ann", "scrypt", SCRYPT), MAY("ann", "Read", "Subject:a")));
        do {
            poll(NULL, 0, 1);
            bs_buf_reset(&health);
            sr_auth_health(auth, &health);
            assert_int_equal(check_from(auth, 1, ANN_SECRET, false), 0);
        } while (strstr(bs_buf_text(&health), "\"users\":1") == NULL);
        atomic_store(&g.end, true);
        for (int i = 0; i < GUESSERS; i++)
            pthread_join(threads[i], NULL);
        sr_auth_close(auth);
    }
    bs_buf_deinit(&health);
}

/* Another user or schema has another one; what takes its place, or is too long, is not told. */
static void test_reasons(void **state)
{
    struct sr_reasons *reasons = sr_reasons_new();
    struct bs_arena arena = BS_ARENA_INIT;
    char users[2], entries[SR_REASONS * 8], name[SR_REASON_NAME_MAX + 2], text[32];
    size_t kept = 0;
    (void)state;
    assert_null(sr_reason_get(reasons, &users[0], &entries[0], &arena));
    sr_reason_put(reasons, &users[0], &entries[0], "a");
    sr_reason_put(reasons, &users[0], &entries[0], "b");
    assert_string_equal(sr_reason_get(reasons, &users[0], &entries[0], &arena), "b");
    assert_null(sr_reason_get(reasons, &users[1], &entries[0], &arena));
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    sr_reason_put(reasons, &users[1], &entries[1], name);
    assert_null(sr_reason_get(reasons, &users[1], &entries[1], &arena));
    for (size_t i = 0; i < sizeof entries; i++) {
        snprintf(text, sizeof text, "%zu", i);
        sr_reason_put(reasons, users, &entries[i], text);
    }
    for (size_t i = 0; i < sizeof entries; i++) {
        const char *got = sr_reason_get(reasons, users, &entries[i], &arena);
        snprintf(text, sizeof text, "%zu", i);
        kept += got != NULL;
        if (got)
            assert_string_equal(got, text);
    }
    assert_true(kept > SR_REASONS / 4 && kept <= SR_REASONS);
    bs_arena_deinit(&arena);
    sr_reasons_free(reasons);
    sr_reasons_free(NULL);
}

static void test_routes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sr_route_count; i++) {
        const struct ht_route *row = &sr_routes[i];
        bool of_subject = strstr(row->pattern, "{subject}") != NULL;
        bool right_on_subject = row->right == SR_READ_SUBJECT || row->right == SR_WRITE_SUBJECT ||
                                row->right == SR_ADMIN_SUBJECT;
        if (row->right == SR_RIGHT_MISSING || of_subject != right_on_subject)
            fail_msg("%s %s: %s", row->method, row->pattern, sr_right_name(row->right));
        if (strcmp(row->method, "GET") != 0 && strcmp(row->method, "POST") != 0 &&
            row->right != SR_WRITE_SUBJECT && row->right != SR_ADMIN_SUBJECT &&
            row->right != SR_WRITE_CONFIG)
            fail_msg("%s %s changes something: %s", row->method, row->pattern,
                     sr_right_name(row->right));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_resources_as_text),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test_setup_teardown(test_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changing_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crowd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guessing, setup, teardown),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
