/* JSON member: one value out of the small objects that roles give as their health. The program
 * links no JSON library (the broker alone is to stay small); this walks the text once and
 * understands strings, nesting and nothing else. */
#include "cli/service.h"

#include <ctype.h>
#include <stdio.h>

/* At the opening quote; gives the content (escapes other than \" \\ \/ \n \t are kept as they are)
 * and moves behind the closing quote. */
static bool read_string(struct bs_cursor *at, char *ret, size_t cap)
{
    size_t n = 0;
    for (at->at++; at->at < at->end; at->at++) {
        char c = (char)*at->at;
        if (c == '"') {
            at->at++;
            if (cap)
                ret[n] = '\0';
            return true;
        }
        if (c == '\\' && at->at + 1 < at->end) {
            char d = (char)at->at[1];
            if (d == '"' || d == '\\' || d == '/' || d == 'n' || d == 't') {
                c = d == 'n' ? '\n' : d == 't' ? '\t' : d;
                at->at++;
            }
        }
        if (n + 1 < cap)
            ret[n++] = c;
    }
    return false;
}

static void skip_space(struct bs_cursor *at)
{
    while (at->at < at->end && isspace(*at->at))
        at->at++;
}

/* Behind the colon: a string's content, or a literal's text. */
static bool read_value(struct bs_cursor *at, char *ret, size_t cap)
{
    size_t n = 0;
    skip_space(at);
    if (at->at < at->end && *at->at == '"')
        return read_string(at, ret, cap);
    for (; at->at < at->end && (isalnum(*at->at) || strchr("+-.", *at->at)); at->at++)
        if (n + 1 < cap)
            ret[n++] = (char)*at->at;
    ret[n] = '\0';
    return n > 0;
}

bool cl_json_member(struct bs_bytes json, const char *name, char *ret, size_t cap)
{
    struct bs_cursor at = bs_cursor(json);
    int depth = 0;
    while (at.at < at.end) {
        char c = (char)*at.at, key[64];
        if (c == '"') {
            if (!read_string(&at, key, sizeof key))
                return false;
            skip_space(&at);
            if (depth == 1 && at.at < at.end && *at.at == ':' && strcmp(key, name) == 0) {
                at.at++;
                return read_value(&at, ret, cap);
            }
            continue;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        at.at++;
    }
    return false;
}
