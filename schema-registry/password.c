/* Password: see password.h. The parameters are Karapace's, so that its files keep their meaning:
 * scrypt with N 16384, r 8, p 1 and 64 bytes; PBKDF2 with 5,000 rounds and a digest's length. */
#include "schema-registry/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

enum {
    SCRYPT_N = 16384,
    SCRYPT_R = 8,
    SCRYPT_P = 1,
    SCRYPT_MEMORY = 64 << 20,
    ROUNDS = 5000,
    KEY_MAX = 64,
};

_Static_assert(SR_HASH_TEXT > (KEY_MAX + 2) / 3 * 4, "the longest key as base64, with its NUL");

static const char *const names[SR_HASH_COUNT] = {"scrypt", "sha256", "sha512"};

const char *sr_hash_name(enum sr_hash hash)
{
    return names[hash];
}

int sr_hash_parse(struct bs_bytes name, enum sr_hash *ret, struct bs_error *err)
{
    for (int i = 0; i < SR_HASH_COUNT; i++) {
        if (!bs_bytes_is(name, names[i]))
            continue;
        *ret = (enum sr_hash)i;
        return 0;
    }
    return bs_error_set(err, BS_EINVAL,
                        "algorithm \"%.*s\" is not known; accepted are scrypt, sha256 and sha512",
                        name.len < 64 ? (int)name.len : 64, (const char *)name.ptr);
}

int sr_password_hash(enum sr_hash hash, const char *salt, struct bs_bytes password,
                     char ret[SR_HASH_TEXT], struct bs_error *err)
{
    const EVP_MD *md = hash == SR_HASH_SHA512 ? EVP_sha512() : EVP_sha256();
    const char *text = password.len ? (const char *)password.ptr : "";
    size_t len = hash == SR_HASH_SHA256 ? 32 : KEY_MAX;
    uint8_t key[KEY_MAX];
    int fine;
    if (password.len > SR_PASSWORD_MAX)
        return bs_error_set(err, BS_ELIMIT, "the password is longer than %d bytes",
                            SR_PASSWORD_MAX);
    if (hash == SR_HASH_SCRYPT)
        fine = EVP_PBE_scrypt(text, password.len, (const uint8_t *)salt, strlen(salt), SCRYPT_N,
                              SCRYPT_R, SCRYPT_P, SCRYPT_MEMORY, key, len);
    else
        fine = PKCS5_PBKDF2_HMAC(text, (int)password.len, (const uint8_t *)salt, (int)strlen(salt),
                                 ROUNDS, md, (int)len, key);
    if (fine != 1)
        return bs_error_set(err, BS_ENOMEM, "libcrypto cannot compute %s", names[hash]);
    EVP_EncodeBlock((uint8_t *)ret, key, (int)len);
    OPENSSL_cleanse(key, sizeof key);
    return 0;
}

bool sr_password_is(enum sr_hash hash, const char *salt, const char *kept, struct bs_bytes password)
{
    char made[SR_HASH_TEXT], want[SR_HASH_TEXT] = "";
    bool fits = strlen(kept) < sizeof want;
    if (sr_password_hash(hash, salt, password, made, NULL) < 0)
        return false;
    if (fits)
        memcpy(want, kept, strlen(kept));
    return CRYPTO_memcmp(made, want, strlen(made) + 1) == 0 && fits;
}

int sr_password_salt(char ret[SR_SALT_TEXT], struct bs_error *err)
{
    uint8_t bytes[(SR_SALT_TEXT - 1) / 2];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return bs_error_set(err, BS_EIO, "libcrypto has no random bytes");
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}
