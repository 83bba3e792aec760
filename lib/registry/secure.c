/* Secure: see secure.h. No text of it is put into a message. */
#include "lib/registry/secure.h"

#include "lib/base/mem.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 };

static int not_pem(const char *option, const char *file, const unsigned char *bytes, size_t len,
                   struct bs_error *err)
{
    static const unsigned char jks[] = {0xfe, 0xed, 0xfe, 0xed};
    if (len >= sizeof jks && memcmp(bytes, jks, sizeof jks) == 0)
        return bs_error_set(
            err, BS_EUNSUPPORTED,
            "option %s: %s is a Java keystore; PEM is read\n  hint: keytool "
            "-importkeystore -srckeystore %s -destkeystore store.p12 -deststoretype "
            "PKCS12 && openssl pkcs12 -in store.p12 -nodes -out store.pem",
            option, file, file);
    if (len > 1 && bytes[0] == 0x30 && bytes[1] >= 0x80)
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "option %s: %s is PKCS #12 or DER; PEM is read\n  hint: openssl pkcs12 "
                            "-in %s -nodes -out store.pem",
                            option, file, file);
    return bs_error_set(err, BS_EINVAL,
                        "option %s: %s holds no PEM (\"-----BEGIN …\" begins a line)", option,
                        file);
}

int rc_secure_check_file(const char *option, const char *file, struct bs_error *err)
{
    static const char begin[] = "-----BEGIN ";
    FILE *in = fopen(file, "re");
    char *text, *at;
    size_t len;
    int rc = 0;
    if (in == NULL)
        return bs_error_sys(err, errno, "option %s: cannot read %s", option, file);
    text = bs_alloc(FILE_MAX + 1);
    len = fread(text, 1, FILE_MAX, in);
    text[len] = '\0';
    if (ferror(in))
        rc = bs_error_sys(err, errno, "option %s: cannot read %s", option, file);
    else if (len == FILE_MAX)
        rc = bs_error_set(err, BS_ELIMIT, "option %s: %s is larger than 1 MiB", option, file);
    at = memmem(text, len, begin, sizeof begin - 1);
    while (at && at != text && at[-1] != '\n')
        at = memmem(at + 1, len - (size_t)(at + 1 - text), begin, sizeof begin - 1);
    if (rc == 0 && at == NULL)
        rc = not_pem(option, file, (const unsigned char *)text, len, err);
    memset(text, 0, len); /* it may be a key */
    bs_free(text);
    fclose(in);
    return rc;
}

void rc_secure_copy(struct rc_secure *to, const struct rc_secure *from)
{
    for (int i = 0; i < RC_SECRET_COUNT; i++)
        to->text[i] = bs_strdup(from->text[i]);
}

void rc_secure_deinit(struct rc_secure *copied)
{
    for (int i = 0; i < RC_SECRET_COUNT; i++)
        bs_free((char *)copied->text[i]);
    *copied = (struct rc_secure){0};
}

static void set_blob(CURL *curl, CURLoption option, const char *text)
{
    struct curl_blob blob = {.data = (char *)text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(curl, option, &blob);
}

static void set_pair(CURL *curl, const struct rc_secure *secure, enum rc_secret file,
                     CURLoption file_option, CURLoption blob_option)
{
    const char *path = secure->text[file], *text = secure->text[file + 1];
    if (path)
        curl_easy_setopt(curl, file_option, path);
    else if (text)
        set_blob(curl, blob_option, text);
}

_Static_assert(RC_AUTHORITY_TEXT == RC_AUTHORITY_FILE + 1 &&
                   RC_CERTIFICATE_TEXT == RC_CERTIFICATE_FILE + 1 && RC_KEY_TEXT == RC_KEY_FILE + 1,
               "set_pair takes the text beside the file");

void rc_secure_apply(const struct rc_secure *secure, void *handle)
{
    CURL *curl = handle;
    bool own_key = secure->text[RC_KEY_FILE] || secure->text[RC_KEY_TEXT];
    if (secure->text[RC_AUTHORITY_FILE] || secure->text[RC_AUTHORITY_TEXT])
        curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* these alone */
    set_pair(curl, secure, RC_AUTHORITY_FILE, CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB);
    set_pair(curl, secure, RC_CERTIFICATE_FILE, CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB);
    if (own_key)
        set_pair(curl, secure, RC_KEY_FILE, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB);
    else /* it stands beside the certificate */
        set_pair(curl, secure, RC_CERTIFICATE_FILE, CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB);
    if (secure->text[RC_KEY_PASSWORD])
        curl_easy_setopt(curl, CURLOPT_KEYPASSWD, secure->text[RC_KEY_PASSWORD]);
}

struct curl_slist *rc_secure_headers(const struct rc_secure *secure, struct curl_slist *headers)
{
    static const struct {
        enum rc_secret secret;
        const char *name;
    } rows[] = {
        {RC_BEARER_TOKEN, "Authorization: Bearer "},
        {RC_LOGICAL_CLUSTER, "target-sr-cluster: "},
        {RC_IDENTITY_POOL, "Confluent-Identity-Pool-Id: "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *line;
        if (secure->text[rows[i].secret] == NULL)
            continue;
        line = bs_asprintf("%s%s", rows[i].name, secure->text[rows[i].secret]);
        headers = curl_slist_append(headers, line);
        bs_free(line);
    }
    return headers;
}
