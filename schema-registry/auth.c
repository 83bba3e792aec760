/* Auth: see auth.h.
 *
 * `lock` guards everything; it is given up while a password is compared, and only one is at a time:
 * one core and 16 MiB is all that guessing passwords can take. Credentials are compared in the
 * order they came; each name and each address has few of the places, so that whoever guesses does
 * not take them all. Who waits for its turn looks again at what is known when it comes, because one
 * before it often had the same credentials. */
#include "schema-registry/auth.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metric.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FILE_MAX = 16 << 20,
    HEADER_MAX = 4096,
    DIGEST = 32,
    KNOWN_SETS = 256, /* of KNOWN_WAYS each */
    KNOWN_WAYS = 4,
    RIGHT_MS = 5 * 60 * 1000, /* how long right credentials stay known without being sent */
    WRONG_MS = 10 * 1000,
    DIFFERENT_MAX = 40, /* credentials that wait for their turn */
    OF_CLIENT_MAX = 24, /* of them, from one address */
    OF_NAME_MAX = 2,    /* of these, for one name */
    LOOK_MS = 1000,     /* between two looks at the file */
};

static const struct bs_event refused_event = {
    "registry.sign-in-refused", BS_LOG_WARN,
    "Credentials were compared and are wrong: an unknown user or a wrong password."};
static const struct bs_event users_event = {"registry.users-read", BS_LOG_INFO,
                                            "Users and their rights were read from the file."};
static const struct bs_event users_wrong = {
    "registry.users-refused", BS_LOG_ERROR,
    "The changed file of authentication.file is wrong; the users that were read before stay."};
static const struct bs_metric_desc compared_desc = {
    "weir_registry_passwords_compared_total", BS_COUNTER,
    "Passwords compared with a hash; credentials that are known again are not counted."};

struct sr_users_held {
    struct sr_users *users;
    unsigned count; /* who holds it; the auth itself is one */
};

struct known {
    uint8_t digest[DIGEST];
    int64_t until_ms;           /* 0: empty */
    const struct sr_user *user; /* NULL: wrong */
};

/* Requests that wait with the same credentials from the same address; the first one compares them
 * for all. */
struct waiting {
    uint8_t digest[DIGEST], name[DIGEST];
    uint64_t client, ticket; /* the lowest ticket is next */
    unsigned count;          /* 0: empty */
};

struct stamp {
    struct timespec mtime;
    off_t size;
    ino_t inode;
    dev_t device;
};

struct sr_auth {
    char *file;
    uint8_t key[DIGEST];
    EVP_MD *sha;
    struct bs_metric compared;

    pthread_mutex_t lock; /* guards what follows */
    struct sr_users_held *held;
    struct known known[KNOWN_SETS][KNOWN_WAYS]; /* of `held` */
    struct stamp stamp;
    int64_t looked_ms;
    char error[1024]; /* of the file that is there now, or "" */
    struct waiting waiting[DIFFERENT_MAX];
    unsigned waiting_count; /* requests, of all of them */
    uint64_t tickets;
    bool comparing; /* a password, by one of them */
    pthread_cond_t turned;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the file ---- */

static bool stamp_of(const char *file, struct stamp *ret)
{
    struct stat st;
    if (stat(file, &st) < 0)
        return false;
    *ret = (struct stamp){
        .mtime = st.st_mtim, .size = st.st_size, .inode = st.st_ino, .device = st.st_dev};
    return true;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec &&
           a->size == b->size && a->inode == b->inode && a->device == b->device;
}

static int read_file(const char *file, struct bs_buf *out, struct bs_error *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC), rc = 0;
    ssize_t got = 1;
    if (fd < 0)
        return bs_error_sys(err, errno, "cannot read %s (authentication.file)", file);
    while (got > 0 && rc == 0) {
        got = read(fd, bs_buf_reserve(out, 65536), 65536);
        if (got < 0)
            rc = bs_error_sys(err, errno, "cannot read %s (authentication.file)", file);
        else if ((out->len += (size_t)got) > FILE_MAX)
            rc = bs_error_set(err, BS_ELIMIT, "%s is larger than %d bytes", file, FILE_MAX);
    }
    close(fd);
    return rc;
}

static int load(const char *file, struct sr_users **ret, struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    int rc = read_file(file, &text, err);
    if (rc == 0)
        rc = sr_users_read(bs_buf_bytes(&text), file, ret, err);
    if (text.data)
        OPENSSL_cleanse(text.data, text.cap);
    bs_buf_deinit(&text);
    return rc;
}

static void unhold(struct sr_users_held *held)
{
    if (held == NULL || --held->count)
        return;
    sr_users_free(held->users);
    bs_free(held);
}

/* What was right stays so while the user's entry is the same; what was wrong may be right now. */
static void keep_known(struct sr_auth *auth, const struct sr_users *users)
{
    for (int i = 0; i < KNOWN_SETS * KNOWN_WAYS; i++) {
        struct known *known = &auth->known[i / KNOWN_WAYS][i % KNOWN_WAYS];
        const struct sr_user *was = known->user, *is = was ? sr_users_find(users, was->name) : NULL;
        if (is && is->hash == was->hash && strcmp(is->salt, was->salt) == 0 &&
            strcmp(is->kept, was->kept) == 0)
            known->user = is;
        else
            *known = (struct known){0};
    }
}

static void take_users(struct sr_auth *auth, struct sr_users *users)
{
    struct sr_users_held *held = bs_new(struct sr_users_held);
    held->users = users;
    held->count = 1;
    keep_known(auth, users);
    unhold(auth->held);
    auth->held = held;
    bs_log(&users_event, "%s: %zu users", auth->file, sr_users_count(users));
}

/* With `lock`. The stamp is taken before the file is read: a change meanwhile is seen next time. */
static void look_at_file(struct sr_auth *auth)
{
    int64_t now = now_ms();
    struct stamp stamp = {0};
    struct sr_users *users = NULL;
    struct bs_error err = {0};
    if (now - auth->looked_ms < LOOK_MS)
        return;
    auth->looked_ms = now;
    if (stamp_of(auth->file, &stamp) && same_stamp(&stamp, &auth->stamp))
        return;
    if (load(auth->file, &users, &err) == 0) {
        auth->error[0] = '\0';
        take_users(auth, users);
    } else if (strcmp(auth->error, err.text) != 0) {
        bs_log(&users_wrong, "%s; %zu users stay", err.text, sr_users_count(auth->held->users));
        snprintf(auth->error, sizeof auth->error, "%s", err.text);
    }
    auth->stamp = stamp;
}

int sr_auth_open(const char *file, struct sr_auth **ret, struct bs_error *err)
{
    struct sr_auth *auth = bs_new(struct sr_auth);
    struct sr_users *users = NULL;
    int rc;
    stamp_of(file, &auth->stamp);
    if ((rc = load(file, &users, err)) < 0) {
        bs_free(auth);
        return rc;
    }
    auth->sha = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (auth->sha == NULL || RAND_bytes(auth->key, sizeof auth->key) != 1)
        abort(); /* libcrypto without SHA-256 or random bytes: nothing can be kept secret */
    auth->file = bs_strdup(file);
    auth->looked_ms = now_ms();
    pthread_mutex_init(&auth->lock, NULL);
    pthread_cond_init(&auth->turned, NULL);
    bs_metric_init(&auth->compared, &compared_desc, NULL);
    take_users(auth, users);
    *ret = auth;
    return 0;
}

void sr_auth_close(struct sr_auth *auth)
{
    if (auth == NULL)
        return;
    unhold(auth->held);
    bs_metric_deinit(&auth->compared);
    pthread_mutex_destroy(&auth->lock);
    pthread_cond_destroy(&auth->turned);
    bs_free(auth->file);
    EVP_MD_free(auth->sha);
    OPENSSL_cleanse(auth->key, sizeof auth->key);
    bs_free(auth);
}

/* ---- credentials that are known ---- */

static void digest_of(const struct sr_auth *auth, const char *text, uint8_t ret[DIGEST])
{
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    unsigned len = DIGEST;
    if (sha == NULL || EVP_DigestInit_ex(sha, auth->sha, NULL) != 1)
        abort(); /* no memory */
    EVP_DigestUpdate(sha, auth->key, sizeof auth->key);
    EVP_DigestUpdate(sha, text, strlen(text));
    EVP_DigestFinal_ex(sha, ret, &len);
    EVP_MD_CTX_free(sha);
}

/* With `lock`. The digest is keyed: who sends headers cannot choose the set they fall into. */
static struct known *find_known(struct sr_auth *auth, const uint8_t digest[DIGEST], int64_t now)
{
    struct known *set = auth->known[digest[0] % KNOWN_SETS];
    for (int i = 0; i < KNOWN_WAYS; i++)
        if (set[i].until_ms > now && CRYPTO_memcmp(set[i].digest, digest, DIGEST) == 0)
            return &set[i];
    return NULL;
}

/* With `lock`: takes the place of the entry that would end first; wrong ones end early and so never
 * push out right ones while there is another. */
static void remember(struct sr_auth *auth, const uint8_t digest[DIGEST], const struct sr_user *user)
{
    struct known *set = auth->known[digest[0] % KNOWN_SETS], *place = set;
    for (int i = 1; i < KNOWN_WAYS; i++)
        if (set[i].until_ms < place->until_ms)
            place = &set[i];
    memcpy(place->digest, digest, DIGEST);
    place->user = user;
    place->until_ms = now_ms() + (user ? RIGHT_MS : WRONG_MS);
}

static int denied(struct bs_error *err)
{
    return bs_error_set(err, BS_EDENIED, "Unauthorized: the user is unknown or the password wrong");
}

/* With `lock`. 1: not known. Right ones that are sent again and again never have to wait for a
 * place. */
static int ask_known(struct sr_auth *auth, const uint8_t digest[DIGEST], struct sr_identity *ret,
                     struct bs_error *err)
{
    int64_t now = now_ms();
    struct known *known = find_known(auth, digest, now);
    if (known == NULL)
        return 1;
    if (known->user == NULL)
        return denied(err);
    known->until_ms = now + RIGHT_MS;
    auth->held->count++;
    *ret = (struct sr_identity){.user = known->user, .held = auth->held};
    return 0;
}

/* ---- comparing ---- */

/* "Basic dXNlcjpwYXNz" → name and password in `out`, which the caller wipes. */
static int decode(const char *header, char out[HEADER_MAX], char **ret_password, size_t *ret_len,
                  struct bs_error *err)
{
    const char *text = header + 5 + strspn(header + 5, " ");
    size_t len = strcspn(text, " "), pad = 0;
    int got;
    while (pad < len && pad < 2 && text[len - 1 - pad] == '=')
        pad++;
    got = len % 4 ? -1 : EVP_DecodeBlock((uint8_t *)out, (const uint8_t *)text, (int)len);
    if (got < (int)pad)
        return bs_error_set(err, BS_EINVAL, "Unauthorized: the credentials are not base64");
    out[got -= (int)pad] = '\0';
    *ret_password = memchr(out, ':', (size_t)got);
    if (*ret_password == NULL || memchr(out, '\0', (size_t)(*ret_password - out)))
        return bs_error_set(err, BS_EINVAL, "Unauthorized: the credentials have no ':'");
    *(*ret_password)++ = '\0';
    *ret_len = (size_t)(out + got - *ret_password);
    return 0;
}

/* A wrong one costs what each algorithm of the file does, whoever it names, so that time tells no
 * names. */
static const struct sr_user *compare(struct sr_auth *auth, const struct sr_users *users,
                                     const char *name, const char *password, size_t len)
{
    const struct sr_user *user = sr_users_find(users, name);
    struct bs_buf shown = BS_BUF_INIT;
    bs_metric_add(&auth->compared, 1);
    if (user && sr_password_is(user->hash, user->salt, user->kept, bs_bytes(password, len)))
        return user;
    for (int i = 0; i < SR_HASH_COUNT; i++)
        if (sr_users_have(users, (enum sr_hash)i) &&
            (user == NULL || user->hash != (enum sr_hash)i))
            sr_password_is((enum sr_hash)i, "nobody", "", bs_bytes(password, len));
    bs_buf_put_json_string(&shown, name, strnlen(name, 64));
    bs_log(&refused_event, "user %s", bs_buf_text(&shown));
    bs_buf_deinit(&shown);
    return NULL;
}

/* With `lock`: a place among those who wait; NULL: there are too many. */
static struct waiting *join(struct sr_auth *auth, const struct waiting *who)
{
    struct waiting *place = NULL;
    unsigned requests = 0, of_client = 0, of_name = 0;
    bool same = false;
    for (int i = 0; i < DIFFERENT_MAX; i++) {
        struct waiting *w = &auth->waiting[i];
        if (w->count && w->client == who->client) {
            requests += w->count;
            of_client++;
            of_name += CRYPTO_memcmp(w->name, who->name, DIGEST) == 0;
            if (CRYPTO_memcmp(w->digest, who->digest, DIGEST) == 0) {
                place = w;
                same = true;
            }
        }
        if (w->count == 0 && !same)
            place = w;
    }
    if (place == NULL || auth->waiting_count == SR_SIGN_INS_MAX ||
        requests == SR_SIGN_INS_OF_CLIENT_MAX ||
        (!same && (of_client == OF_CLIENT_MAX || of_name == OF_NAME_MAX)))
        return NULL;
    if (!same) {
        *place = *who;
        place->ticket = auth->tickets++;
    }
    place->count++;
    auth->waiting_count++;
    return place;
}

/* With `lock`. */
static bool is_next(const struct sr_auth *auth, const struct waiting *place)
{
    for (int i = 0; i < DIFFERENT_MAX; i++)
        if (auth->waiting[i].count && auth->waiting[i].ticket < place->ticket)
            return false;
    return !auth->comparing;
}

/* With `lock`, which is given up meanwhile. */
static int compare_in_turn(struct sr_auth *auth, const struct waiting *who, const char *name,
                           const char *password, size_t len, struct sr_identity *ret,
                           struct bs_error *err)
{
    struct waiting *place = join(auth, who);
    struct sr_users_held *held;
    const struct sr_user *user;
    int rc;
    if (place == NULL)
        return bs_error_set(err, BS_EBUSY, "Too many sign-ins at a time; try again");
    while (!is_next(auth, place))
        pthread_cond_wait(&auth->turned, &auth->lock);
    if ((rc = ask_known(auth, who->digest, ret, err)) == 1) {
        held = auth->held;
        held->count++;
        auth->comparing = true;
        pthread_mutex_unlock(&auth->lock);
        user = compare(auth, held->users, name, password, len);
        pthread_mutex_lock(&auth->lock);
        auth->comparing = false;
        if (held == auth->held)
            remember(auth, who->digest, user);
        if (user)
            *ret = (struct sr_identity){.user = user, .held = held};
        else
            unhold(held);
        rc = user ? 0 : denied(err);
    }
    place->count--;
    auth->waiting_count--;
    pthread_cond_broadcast(&auth->turned);
    return rc;
}

/* With `lock`, which is given up meanwhile. */
static int wait_and_compare(struct sr_auth *auth, const char *header, struct waiting *who,
                            struct sr_identity *ret, struct bs_error *err)
{
    char text[HEADER_MAX], *password = NULL;
    size_t len = 0;
    int rc = decode(header, text, &password, &len, err);
    if (rc < 0)
        return rc;
    digest_of(auth, text, who->name);
    rc = compare_in_turn(auth, who, text, password, len, ret, err);
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}

int sr_auth_check(struct sr_auth *auth, const char *header, uint64_t client, bool may_block,
                  struct sr_identity *ret, struct bs_error *err)
{
    struct waiting who = {.client = client};
    int rc;
    *ret = (struct sr_identity){0};
    if (header == NULL || *header == '\0')
        return bs_error_set(err, BS_EDENIED, "Unauthorized: a user name and password are needed");
    if (strncasecmp(header, "Basic ", 6) != 0 || strlen(header) > HEADER_MAX)
        return bs_error_set(err, BS_EINVAL, "Unauthorized: only Basic authentication is served");
    digest_of(auth, header, who.digest);
    pthread_mutex_lock(&auth->lock);
    look_at_file(auth);
    rc = ask_known(auth, who.digest, ret, err);
    if (rc == 1 && may_block)
        rc = wait_and_compare(auth, header, &who, ret, err);
    pthread_mutex_unlock(&auth->lock);
    return rc;
}

void sr_auth_release(struct sr_auth *auth, struct sr_identity *identity)
{
    if (identity->held == NULL)
        return;
    pthread_mutex_lock(&auth->lock);
    unhold(identity->held);
    pthread_mutex_unlock(&auth->lock);
    *identity = (struct sr_identity){0};
}

void sr_auth_health(struct sr_auth *auth, struct bs_buf *out)
{
    pthread_mutex_lock(&auth->lock);
    look_at_file(auth);
    bs_buf_printf(out, "{\"users\":%zu", sr_users_count(auth->held->users));
    if (auth->error[0]) {
        bs_buf_puts(out, ",\"error\":");
        bs_buf_put_json_string(out, auth->error, strlen(auth->error));
    }
    bs_buf_puts(out, "}");
    pthread_mutex_unlock(&auth->lock);
}
