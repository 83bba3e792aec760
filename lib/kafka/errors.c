/* Errors: see errors.h. Pure: one table, indexed by code + 1. */
#include "lib/kafka/errors.h"

#include <stddef.h>

struct error_row {
    const char *name, *text;
    bool retriable;
};

static const struct error_row rows[] = {
#define ROW(the_name, code, may_retry, the_text) \
    [(code) + 1] = {.name = #the_name, .text = (the_text), .retriable = (may_retry)},
    KP_ERRORS(ROW)
#undef ROW
};

static const struct error_row *row_find(int16_t code)
{
    static const struct error_row unknown = {
        .name = "UNKNOWN_CODE",
        .text = "The server gave an error code that this version does not know.",
        .retriable = false,
    };
    int at = code + 1;
    if (at < 0 || at >= (int)(sizeof rows / sizeof *rows) || !rows[at].name)
        return &unknown;
    return &rows[at];
}

const char *kp_error_name(int16_t code)
{
    return row_find(code)->name;
}

const char *kp_error_text(int16_t code)
{
    return row_find(code)->text;
}

bool kp_error_retriable(int16_t code)
{
    return row_find(code)->retriable;
}
