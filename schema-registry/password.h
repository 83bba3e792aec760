/* Password: what is kept of one, and how a given one is compared with it. Pure; any thread. */
#ifndef WEIR_SR_PASSWORD_H
#define WEIR_SR_PASSWORD_H

#include "lib/base/bytes.h"
#include "lib/base/err.h"

/* By the names of Karapace's file: SHA-2 stands for PBKDF2 with it, 5,000 rounds. */
enum sr_hash { SR_HASH_SCRYPT, SR_HASH_SHA256, SR_HASH_SHA512, SR_HASH_COUNT };

enum { SR_HASH_TEXT = 96, SR_SALT_TEXT = 33, SR_PASSWORD_MAX = 1024 };

const char *sr_hash_name(enum sr_hash hash);
/* BS_EINVAL names what is accepted. */
int sr_hash_parse(struct bs_bytes name, enum sr_hash *ret, struct bs_error *err);
/* The text that a file keeps: base64. Takes tens of milliseconds, and 16 MiB with scrypt. */
int sr_password_hash(enum sr_hash hash, const char *salt, struct bs_bytes password,
                     char ret[SR_HASH_TEXT], struct bs_error *err);
/* Takes the same time whether it is right or not. */
bool sr_password_is(enum sr_hash hash, const char *salt, const char *kept,
                    struct bs_bytes password);
/* A salt of 128 random bits, as text. */
int sr_password_salt(char ret[SR_SALT_TEXT], struct bs_error *err);

#endif
