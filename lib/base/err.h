/* Errors: one list of codes with text and class, and a sentence that each layer may wrap.
 *
 * A function that can fail returns int: 0, or one of the negative codes below. One that has
 * something to tell a person also takes `struct bs_error *err` as its very last parameter; it may
 * be NULL. */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

enum bs_class {
    BS_RETRY,  /* the same call may succeed later */
    BS_FATAL,  /* the process or its data is not well; do not go on */
    BS_CALLER, /* what was asked is wrong; the same call fails again */
};

/*      name            code  class      text */
#define BS_ERRORS(X)                                                \
    X(BS_EINVAL, -1, BS_CALLER, "invalid argument")                 \
    X(BS_ESYNTAX, -2, BS_CALLER, "syntax error")                    \
    X(BS_ETRUNCATED, -3, BS_CALLER, "input ends too early")         \
    X(BS_ECORRUPT, -4, BS_FATAL, "data is corrupt")                 \
    X(BS_EIO, -5, BS_FATAL, "input/output error")                   \
    X(BS_ENOSPC, -6, BS_RETRY, "no space left")                     \
    X(BS_EEXIST, -7, BS_CALLER, "already exists")                   \
    X(BS_ENOTFOUND, -8, BS_CALLER, "not found")                     \
    X(BS_ETIMEOUT, -9, BS_RETRY, "timed out")                       \
    X(BS_EBUSY, -10, BS_RETRY, "busy")                              \
    X(BS_ECONNECT, -11, BS_RETRY, "cannot connect")                 \
    X(BS_ELIMIT, -12, BS_CALLER, "over a limit")                    \
    X(BS_EUNSUPPORTED, -13, BS_CALLER, "not supported")             \
    X(BS_EDENIED, -14, BS_CALLER, "not allowed")                    \
    X(BS_EFENCED, -15, BS_FATAL, "fenced by a newer instance")      \
    X(BS_ECONFLICT, -16, BS_CALLER, "conflicts with what is there") \
    X(BS_ECANCELLED, -17, BS_RETRY, "cancelled")                    \
    X(BS_ESCRIPT, -18, BS_CALLER, "error in a script")              \
    X(BS_ESTATE, -19, BS_FATAL, "not in a state to do this")        \
    X(BS_ENOMEM, -20, BS_RETRY, "out of memory")                    \
    X(BS_ERANGE, -21, BS_CALLER, "out of range")

enum {
#define BS_ERROR_ENUM(name, code, class, text) name = (code),
    BS_ERRORS(BS_ERROR_ENUM)
#undef BS_ERROR_ENUM
};

/* What stands behind a noun that is counted: "%d record%s". */
static inline const char *bs_plural(long long count)
{
    return count == 1 ? "" : "s";
}

struct bs_error {
    int code; /* 0 or BS_E… */
    char text[1024];
};

/* Static text of a code; never NULL. */
const char *bs_strerror(int code);
/* Class of a code; BS_FATAL for a code that is not in the list. */
enum bs_class bs_error_class(int code);

/* Sets err (if not NULL) to code and the formatted sentence; returns code, so that
 * `return bs_error_set(err, BS_EINVAL, "…")` reads well. A sentence too long is cut at its end. */
int bs_error_set(struct bs_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "formatted: " before what err says; keeps and returns its code. Without an err the code is
 * not known here: BS_ESTATE, an error in any case. */
int bs_error_wrap(struct bs_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What err says, under another code; returns it. */
int bs_error_recode(struct bs_error *err, int code);
/* Puts a line "hint: formatted" behind what err says; keeps its code. */
void bs_error_hint(struct bs_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* As bs_error_set with the text of errno value `sys` appended (": No such file …"); the code is
 * chosen from sys (ENOENT gives BS_ENOTFOUND, ENOSPC BS_ENOSPC, …). */
int bs_error_sys(struct bs_error *err, int sys, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The code that an errno value stands for. */
int bs_error_from_sys(int sys);

#endif
