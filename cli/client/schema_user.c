/* weir schema user: users and rights in the file of authentication.file. The file is read, changed,
 * checked as the registry checks it, and put in place whole: a registry that reads it meanwhile
 * sees the old one or the new one. What it holds beside users and permissions stays. */
#include "cli/client/codec.h"
#include "cli/client/schema_args.h"
#include "lib/base/mem.h"
#include "schema-registry/users.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGS_MAX = 64 };

struct user_args {
    const char *args[ARGS_MAX]; /* FILE, NAME, OPERATION=RESOURCE… */
    size_t count;
};

/* ---- the file ---- */

/* The list of that name, made when it is not there; NULL: err is set. */
static json_t *list_of(json_t *json, const char *file, const char *name, struct bs_error *err)
{
    json_t *list = json_object_get(json, name);
    if (list == NULL)
        json_object_set_new(json, name, list = json_array());
    if (!json_is_array(list)) {
        bs_error_set(err, BS_EINVAL, "%s: \"%s\" is not a list", file, name);
        return NULL;
    }
    return list;
}

static int load(const char *file, bool may_be_new, json_t **ret, struct bs_error *err)
{
    json_error_t where;
    if (may_be_new && access(file, F_OK) < 0 && errno == ENOENT) {
        *ret = json_object();
    } else {
        struct bs_buf text = BS_BUF_INIT;
        int rc = cl_file_read(file, &text, err);
        if (rc == 0) {
            *ret = json_loadb(bs_buf_text(&text), text.len, JSON_REJECT_DUPLICATES, &where);
            if (*ret == NULL)
                rc = bs_error_set(err, BS_ESYNTAX, "%s: line %d: %s", file, where.line, where.text);
        }
        bs_buf_deinit(&text);
        if (rc < 0)
            return rc;
    }
    if (!json_is_object(*ret))
        return bs_error_set(err, BS_EINVAL, "%s is not a JSON object with \"users\"", file);
    if (list_of(*ret, file, "users", err) == NULL ||
        list_of(*ret, file, "permissions", err) == NULL)
        return BS_EINVAL;
    return 0;
}

/* Into `next`, with the owner and mode of the old file. */
static int write_next(const char *file, const char *next, int fd, const char *text,
                      struct bs_error *err)
{
    struct stat old;
    size_t len = strlen(text), done = 0;
    if (stat(file, &old) == 0 &&
        (fchmod(fd, old.st_mode & 0777) < 0 || fchown(fd, old.st_uid, old.st_gid) < 0))
        return bs_error_sys(err, errno, "cannot give %s the owner and mode of %s", next, file);
    while (done < len) {
        ssize_t put = write(fd, text + done, len - done);
        if (put < 0)
            return bs_error_sys(err, errno, "cannot write %s", next);
        done += (size_t)put;
    }
    if (fsync(fd) < 0 || rename(next, file) < 0)
        return bs_error_sys(err, errno, "cannot write %s", file);
    return 0;
}

static int save(const char *name, const json_t *json, struct bs_error *err)
{
    char *real = realpath(name, NULL), *text = json_dumps(json, JSON_INDENT(2)), *next = NULL;
    const char *file = real ? real : name; /* a link stays a link */
    char *whole = bs_asprintf("%s\n", text ? text : "");
    struct sr_users *users = NULL;
    int fd = -1, rc = sr_users_read(bs_bytes_text(whole), name, &users, err);
    if (rc < 0)
        goto done;
    next = bs_asprintf("%s.XXXXXX", file);
    fd = mkostemp(next, O_CLOEXEC); /* readable by its owner only */
    if (fd < 0) {
        rc = bs_error_sys(err, errno, "cannot write beside %s", file);
        goto done;
    }
    rc = write_next(file, next, fd, whole, err);
    close(fd);
    if (rc < 0)
        unlink(next);
done:
    sr_users_free(users);
    bs_free(next);
    bs_free(whole);
    free(text);
    free(real);
    return rc;
}

/* ---- entries ---- */

static bool is_of(const json_t *entry, const char *name)
{
    const char *user = json_string_value(json_object_get(entry, "username"));
    return user && strcmp(user, name) == 0;
}

static json_t *find_user(const json_t *json, const char *name)
{
    json_t *users = json_object_get(json, "users"), *entry;
    size_t i;
    json_array_foreach(users, i, entry) if (is_of(entry, name)) return entry;
    return NULL;
}

static int need_user(const json_t *json, const char *file, const char *name, struct bs_error *err)
{
    return find_user(json, name)
               ? 0
               : bs_error_set(err, BS_ENOTFOUND, "%s has no user \"%s\"", file, name);
}

/* A prompt on a terminal, twice; else the first line of standard input. */
static int read_password(struct bs_buf *out, struct bs_error *err)
{
    size_t len;
    if (isatty(STDIN_FILENO)) {
        char *given = getpass("Password: ");
        if (given == NULL)
            return bs_error_sys(err, errno, "cannot read a password");
        bs_buf_puts(out, given);
        explicit_bzero(given, strlen(given));
        given = getpass("Once more: ");
        if (given == NULL || strcmp(given, bs_buf_text(out)) != 0)
            return bs_error_set(err, BS_EINVAL, "the two are not the same");
        explicit_bzero(given, strlen(given));
    } else {
        out->len = fread(bs_buf_reserve(out, SR_PASSWORD_MAX + 2), 1, SR_PASSWORD_MAX + 2, stdin);
    }
    len = strcspn(bs_buf_text(out), "\r\n");
    if (len == 0)
        return bs_error_set(err, BS_EINVAL,
                            "the password is empty; it is the first line of "
                            "standard input, or asked for on a terminal");
    if (len > SR_PASSWORD_MAX)
        return bs_error_set(err, BS_ELIMIT, "the password is longer than %d bytes",
                            SR_PASSWORD_MAX);
    out->len = len;
    return 0;
}

static int set_password(json_t *json, const char *name, struct bs_error *err)
{
    char salt[SR_SALT_TEXT], hash[SR_HASH_TEXT];
    struct bs_buf password = BS_BUF_INIT;
    json_t *user = find_user(json, name);
    int rc = read_password(&password, err);
    if (rc == 0)
        rc = sr_password_salt(salt, err);
    if (rc == 0)
        rc = sr_password_hash(SR_HASH_SCRYPT, salt, bs_buf_bytes(&password), hash, err);
    if (password.data)
        explicit_bzero(password.data, password.cap);
    bs_buf_deinit(&password);
    if (rc < 0)
        return rc;
    if (user == NULL) {
        user = json_pack("{s:s}", "username", name);
        if (user == NULL)
            return bs_error_set(err, BS_EINVAL, "the name is not UTF-8 text");
        json_array_append_new(json_object_get(json, "users"), user);
    }
    json_object_set_new(user, "algorithm", json_string(sr_hash_name(SR_HASH_SCRYPT)));
    json_object_set_new(user, "salt", json_string(salt));
    json_object_set_new(user, "password_hash", json_string(hash));
    return 0;
}

static bool same_permission(const json_t *a, const json_t *b)
{
    return is_of(a, json_string_value(json_object_get(b, "username"))) &&
           json_equal(json_object_get(a, "operation"), json_object_get(b, "operation")) &&
           json_equal(json_object_get(a, "resource"), json_object_get(b, "resource"));
}

/* Does what stands before the first operator already rule out every resource? */
static bool fits_nothing(const char *resource)
{
    static const char *const kinds[] = {"Subject:", "Config:"};
    size_t len = strcspn(resource, "\\^$.|?*+()[]{}");
    if (*resource == '\0' || strchr(resource, '|'))
        return false;
    if (len && resource[len] && strchr("?*{", resource[len]))
        len--; /* may stand there not at all */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t kind = strlen(kinds[i]);
        if (strncmp(resource, kinds[i], len < kind ? len : kind) == 0 &&
            (resource[len] || len >= kind))
            return false;
    }
    return true;
}

static int refuse_resource(const char *grant, const char *resource, struct bs_error *err)
{
    const char *kind = strncasecmp(resource, "config:", 7) == 0 ? "Config:" : "Subject:";
    const char *rest = resource;
    if (strncasecmp(resource, kind, strlen(kind)) == 0)
        rest += strlen(kind);
    return bs_error_set(
        err, BS_EINVAL,
        "\"%s\" fits nothing: resources begin with Subject: or Config:; did you mean "
        "%.*s=%s%s?",
        grant, (int)(resource - 1 - grant), grant, kind, rest);
}

/* "Read=Subject:a.*" put into the permissions (once), or taken out. */
static int change_permission(json_t *json, const char *name, const char *grant, bool there,
                             struct bs_error *err)
{
    json_t *permissions = json_object_get(json, "permissions"), *entry, *wanted;
    const char *equals = strchr(grant, '=');
    bool found = false;
    if (there && fits_nothing(equals + 1))
        return refuse_resource(grant, equals + 1, err);
    wanted = json_pack("{s:s, s:s%, s:s}", "username", name, "operation", grant,
                       (size_t)(equals - grant), "resource", equals + 1);
    if (wanted == NULL)
        return bs_error_set(err, BS_EINVAL, "\"%s\" is not UTF-8 text", grant);
    for (size_t i = json_array_size(permissions); i-- > 0;) {
        entry = json_array_get(permissions, i);
        if (!same_permission(entry, wanted))
            continue;
        found = true;
        if (!there)
            json_array_remove(permissions, i);
    }
    if (there && !found)
        json_array_append(permissions, wanted);
    json_decref(wanted);
    return found || there ? 0
                          : bs_error_set(err, BS_ENOTFOUND, "user \"%s\" has no permission \"%s\"",
                                         name, grant);
}

static void remove_user(json_t *json, const char *name)
{
    static const char *const lists[] = {"users", "permissions"};
    for (size_t k = 0; k < 2; k++) {
        json_t *list = json_object_get(json, lists[k]);
        for (size_t i = json_array_size(list); i-- > 0;)
            if (is_of(json_array_get(list, i), name))
                json_array_remove(list, i);
    }
}

/* ---- verbs ---- */

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct user_args *args = state->input;
    switch (key) {
    case 'g':
    case ARGP_KEY_ARG:
        if (args->count == ARGS_MAX)
            argp_error(state, "more than %d arguments", ARGS_MAX);
        else if (key == 'g' && args->count < 2)
            argp_error(state, "--grant comes behind FILE and NAME");
        else
            args->args[args->count++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse(struct user_args *args, bool grants, const char *args_doc, const char *doc,
                  size_t least, size_t most, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {.name = "grant",
         .key = 'g',
         .arg = "OPERATION=RESOURCE",
         .doc = "A right, such as Read=Subject:.*, Write=Subject:orders-.*, Admin=Config:"},
        {0}};
    struct argp argp = {.options = grants ? options : NULL,
                        .parser = parse_option,
                        .args_doc = args_doc,
                        .doc = doc};
    *args = (struct user_args){0};
    /* in the order given: what --grant says goes behind FILE and NAME */
    program_invocation_name = program_invocation_short_name = argv[0];
    argp_err_exit_status = CL_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, args);
    if (args->count < least || args->count > most) {
        fprintf(stderr, "%s: too %s arguments; usage: %s %s\n", argv[0],
                args->count < least ? "few" : "many", argv[0], args_doc);
        exit(CL_USAGE);
    }
    for (size_t i = 2; i < args->count; i++) {
        if (strchr(args->args[i], '='))
            continue;
        fprintf(stderr,
                "%s: \"%s\" is not OPERATION=RESOURCE, such as Read=Subject:orders-.* or "
                "Admin=Config:\n",
                argv[0], args->args[i]);
        exit(CL_USAGE);
    }
}

static int finish(char **argv, json_t *json, const struct bs_error *err)
{
    json_decref(json);
    return err->code ? cl_verb_fail(argv[0], err) : CL_OK;
}

static int run_add(int argc, char **argv)
{
    struct user_args args;
    struct bs_error err = {0};
    json_t *json = NULL;
    int rc;
    parse(&args, true, "FILE NAME [--grant OPERATION=RESOURCE]...",
          "Adds a user, or gives one another password. The password is asked for on a terminal, "
          "else it is the first line of standard input. The file is made when it is not there.",
          2, ARGS_MAX, argc, argv);
    if ((rc = load(args.args[0], true, &json, &err)) == 0)
        rc = set_password(json, args.args[1], &err);
    for (size_t i = 2; i < args.count && rc == 0; i++)
        rc = change_permission(json, args.args[1], args.args[i], true, &err);
    if (rc == 0 && save(args.args[0], json, &err) == 0)
        printf("%s: user %s\n", args.args[0], args.args[1]);
    return finish(argv, json, &err);
}

static int change(int argc, char **argv, bool there, const char *doc)
{
    struct user_args args;
    struct bs_error err = {0};
    json_t *json = NULL;
    int rc;
    parse(&args, false, "FILE NAME OPERATION=RESOURCE...", doc, 3, ARGS_MAX, argc, argv);
    if ((rc = load(args.args[0], false, &json, &err)) == 0)
        rc = need_user(json, args.args[0], args.args[1], &err);
    for (size_t i = 2; i < args.count && rc == 0; i++)
        rc = change_permission(json, args.args[1], args.args[i], there, &err);
    if (rc == 0)
        save(args.args[0], json, &err);
    return finish(argv, json, &err);
}

static int run_grant(int argc, char **argv)
{
    return change(
        argc, argv, true,
        "Gives a user rights: Read, Write or Admin on Subject:EXPRESSION, or on Config:.");
}

static int run_revoke(int argc, char **argv)
{
    return change(argc, argv, false, "Takes rights away, written as they were granted.");
}

static int run_delete(int argc, char **argv)
{
    struct user_args args;
    struct bs_error err = {0};
    json_t *json = NULL;
    parse(&args, false, "FILE NAME", "Removes a user and its rights.", 2, 2, argc, argv);
    if (load(args.args[0], false, &json, &err) == 0 &&
        need_user(json, args.args[0], args.args[1], &err) == 0) {
        remove_user(json, args.args[1]);
        save(args.args[0], json, &err);
    }
    return finish(argv, json, &err);
}

static int run_list(int argc, char **argv)
{
    struct user_args args;
    struct bs_error err = {0};
    json_t *json = NULL, *user, *entry;
    size_t i, k;
    parse(&args, false, "FILE", "Prints users and their rights.", 1, 1, argc, argv);
    if (load(args.args[0], false, &json, &err) == 0) {
        json_array_foreach(json_object_get(json, "users"), i, user)
        {
            const char *name = json_string_value(json_object_get(user, "username"));
            printf("%s\n", name ? name : "?");
            json_array_foreach(json_object_get(json, "permissions"), k, entry)
            {
                const char *operation = json_string_value(json_object_get(entry, "operation"));
                const char *resource = json_string_value(json_object_get(entry, "resource"));
                if (name && is_of(entry, name))
                    printf("  %s=%s\n", operation ? operation : "?", resource ? resource : "?");
            }
        }
    }
    return finish(argv, json, &err);
}

int cl_schema_user(int argc, char **argv)
{
    static const struct cl_verb VERBS[] = {
        {"add", "add a user, or change its password", run_add},
        {"list", "users and their rights", run_list},
        {"grant", "give a user rights", run_grant},
        {"revoke", "take rights away", run_revoke},
        {"delete", "remove a user", run_delete},
        {NULL, NULL, NULL},
    };
    return cl_verb_run("schema user",
                       "Users of a schema registry with authentication.method=BASIC.", VERBS, argc,
                       argv);
}
