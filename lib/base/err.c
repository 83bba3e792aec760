/* Errors: see err.h. Pure; any thread. */
#include "lib/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int code;
    enum bs_class class;
    const char *text;
} ROWS[] = {
#define ROW(name, c, k, t) {.code = (c), .class = (k), .text = (t)},
    BS_ERRORS(ROW)
#undef ROW
};

const char *bs_strerror(int code)
{
    if (code == 0)
        return "no error";
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].code == code)
            return ROWS[i].text;
    return "unknown error";
}

enum bs_class bs_error_class(int code)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        if (ROWS[i].code == code)
            return ROWS[i].class;
    return BS_FATAL;
}

int bs_error_set(struct bs_error *err, int code, const char *fmt, ...)
{
    va_list ap;
    if (err == NULL)
        return code;
    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    return code;
}

int bs_error_wrap(struct bs_error *err, const char *fmt, ...)
{
    char said[sizeof err->text];
    va_list ap;
    int n;
    if (err == NULL)
        return BS_ESTATE;
    memcpy(said, err->text, sizeof said);
    va_start(ap, fmt);
    n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %.*s",
                 (int)(sizeof err->text - (size_t)n), said);
    return err->code;
}

int bs_error_recode(struct bs_error *err, int code)
{
    if (err)
        err->code = code;
    return code;
}

void bs_error_hint(struct bs_error *err, const char *fmt, ...)
{
    va_list ap;
    size_t n;
    if (err == NULL)
        return;
    n = strlen(err->text);
    n += (size_t)snprintf(err->text + n, sizeof err->text - n, "\n  hint: ");
    if (n < sizeof err->text) {
        va_start(ap, fmt);
        vsnprintf(err->text + n, sizeof err->text - n, fmt, ap);
        va_end(ap);
    }
}

int bs_error_from_sys(int sys)
{
    switch (sys) {
    case ENOENT:
        return BS_ENOTFOUND;
    case EEXIST:
    case EADDRINUSE:
        return BS_EEXIST;
    case ENOSPC:
    case EDQUOT:
        return BS_ENOSPC;
    case EACCES:
    case EPERM:
        return BS_EDENIED;
    case ENOMEM:
        return BS_ENOMEM;
    case ETIMEDOUT:
        return BS_ETIMEOUT;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
        return BS_ECONNECT;
    case EAGAIN:
    case EBUSY:
        return BS_EBUSY;
    case EMFILE:
    case ENFILE:
        return BS_ELIMIT;
    case EINVAL:
        return BS_EINVAL;
    default:
        return BS_EIO;
    }
}

int bs_error_sys(struct bs_error *err, int sys, const char *fmt, ...)
{
    int code = bs_error_from_sys(sys);
    va_list ap;
    int n;
    if (err == NULL)
        return code;
    err->code = code;
    va_start(ap, fmt);
    n = vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof err->text)
        snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", strerror(sys));
    return code;
}
