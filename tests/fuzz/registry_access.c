/* What decides who may do what, and which media type is meant: a users file with a name to ask for,
 * or an Accept header with a type, separated by a NUL. A larger right has the smaller ones. */
#include "schema-registry/media.h"
#include "schema-registry/users.h"

#include "lib/base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

#define USER(resource)                                                                        \
    "{\"users\":[{\"username\":\"u\",\"algorithm\":\"sha256\",\"salt\":\"s\","                \
    "\"password_hash\":\"h\"}],\"permissions\":[{\"username\":\"u\",\"operation\":\"Write\"," \
    "\"resource\":\"" resource "\"}]}"

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    static const char *const seeds[][2] = {
        {USER("Subject:a.*"), "a-value"},
        {USER("Subject:(a|b)[0-9]{1,3}-\\\\.x"), "a12-.x"},
        {USER("Config:|Subject::\\\\.ctx:[[:alpha:]]+"), ":.ctx:name"},
        {USER(".*"), "x"},
        {USER("Subject:[]a-z]x[^]]"), "]x-"},
        {"text/html;q=0.9, application/*;q=0.5;x=\"a,b\", */*;q=0", "text/html"},
        {"application/vnd.schemaregistry.v1+json; q=0.9, application/json", "application/json"},
    };
    size_t first, second;
    if (n >= sizeof seeds / sizeof *seeds)
        return 0;
    first = strlen(seeds[n][0]) + 1;
    second = strlen(seeds[n][1]);
    if (first + second > room)
        return 0;
    memcpy(out, seeds[n][0], first);
    memcpy(out + first, seeds[n][1], second);
    return first + second;
}

static void ask_users(struct bs_bytes text, const char *name)
{
    struct sr_users *users = NULL;
    struct bs_error err = {0};
    const struct sr_user *user;
    if (sr_users_read(text, "users.json", &users, &err) < 0) {
        if (err.text[0] == '\0')
            abort();
        return;
    }
    user = sr_users_find(users, "u");
    if (user && strlen(name) < 200) {
        bool admin = sr_user_may(user, SR_OP_ADMIN, "Subject", name);
        bool write = sr_user_may(user, SR_OP_WRITE, "Subject", name);
        bool read = sr_user_may(user, SR_OP_READ, "Subject", name);
        if ((admin && !write) || (write && !read) || (sr_user_may_all(user) && !read))
            abort();
        sr_user_may(user, SR_OP_READ, "Config", name);
    }
    sr_users_free(users);
}

static void ask_media(const char *accept, const char *type)
{
    int quality = sr_media_quality(accept, type);
    const char *json = sr_media_json(accept);
    if (quality < 0 || quality > 1000 || (json && sr_media_quality(accept, json) == 0))
        abort();
    if (json == NULL && sr_media_quality(accept, SR_TYPE_JSON) > 0)
        abort();
    if (sr_media_prefers_html(accept) && sr_media_quality(accept, SR_TYPE_HTML) == 0)
        abort();
    sr_media_is_json(accept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\0', size) : NULL;
    size_t len = end ? (size_t)(end - data) : size;
    char *first, *second;
    if (size > 4096)
        return 0;
    first = bs_strndup(size ? (const char *)data : "", len);
    second = end ? bs_strndup((const char *)end + 1, size - len - 1) : bs_strdup("");
    ask_users(bs_bytes_text(first), second);
    ask_media(first, second);
    bs_free(first);
    bs_free(second);
    return 0;
}
