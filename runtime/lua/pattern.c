/* Pattern: string.find, match, gmatch and gsub for scripts.
 *
 * Lua's patterns backtrack, and a hook never fires inside a C function, so the library's own
 * functions could not be stopped. These give the same results and look at the watchdog's flag while
 * they match. Runs inside Lua calls. */
#include "runtime/lua/machine.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum { CAPTURE_MAX = 32, DEPTH_MAX = 180, STEPS_BETWEEN_LOOKS = 4096 };
enum { OPEN = -1, POSITION = -2 }; /* lengths of captures that are none */

struct capture {
    const char *start;
    ptrdiff_t len;
};

struct matcher {
    lua_State *L;
    const char *text, *text_end, *pattern_end;
    int level, depth;
    unsigned steps;
    struct capture captures[CAPTURE_MAX];
};

static const char *match_here(struct matcher *m, const char *s, const char *p);

static void step(struct matcher *m)
{
    if (++m->steps % STEPS_BETWEEN_LOOKS == 0 && rt_watch_killed(&rt_vm_of(m->L)->watch))
        luaL_error(m->L, "a pattern took too much processor time");
}

/* Behind one element of the pattern: a character, %x, or a [set]. */
static const char *element_end(struct matcher *m, const char *p)
{
    if (*p == '%') {
        if (p + 1 >= m->pattern_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p != '[')
        return p + 1;
    p++;
    if (p < m->pattern_end && *p == '^')
        p++;
    for (bool first = true; first || p >= m->pattern_end || *p != ']'; first = false) {
        if (p >= m->pattern_end)
            luaL_error(m->L, "malformed pattern (missing ']')");
        p += *p == '%' ? 2 : 1;
    }
    return p + 1;
}

static bool in_class(unsigned char c, unsigned char class)
{
    bool is;
    switch (tolower(class)) {
    case 'a':
        is = isalpha(c);
        break;
    case 'c':
        is = iscntrl(c);
        break;
    case 'd':
        is = isdigit(c);
        break;
    case 'g':
        is = isgraph(c);
        break;
    case 'l':
        is = islower(c);
        break;
    case 'p':
        is = ispunct(c);
        break;
    case 's':
        is = isspace(c);
        break;
    case 'u':
        is = isupper(c);
        break;
    case 'w':
        is = isalnum(c);
        break;
    case 'x':
        is = isxdigit(c);
        break;
    default:
        return c == class;
    }
    return isupper(class) ? !is : is;
}

/* `p` at '[', `end` behind ']'. */
static bool in_set(unsigned char c, const char *p, const char *end)
{
    bool negated = p[1] == '^';
    p += negated ? 2 : 1;
    end--; /* the ']' */
    while (p < end) {
        if (*p == '%') {
            if (in_class(c, (unsigned char)p[1]))
                return !negated;
            p += 2;
        } else if (p + 2 < end && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return !negated;
            p += 3;
        } else {
            if ((unsigned char)*p == c)
                return !negated;
            p++;
        }
    }
    return negated;
}

static bool one(const struct matcher *m, const char *s, const char *p, const char *end)
{
    if (s >= m->text_end)
        return false;
    unsigned char c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case '%':
        return in_class(c, (unsigned char)p[1]);
    case '[':
        return in_set(c, p, end);
    default:
        return (unsigned char)*p == c;
    }
}

static const char *longest(struct matcher *m, const char *s, const char *p, const char *end)
{
    ptrdiff_t i = 0;
    while (one(m, s + i, p, end)) {
        i++;
        step(m);
    }
    for (; i >= 0; i--) {
        const char *found = match_here(m, s + i, end + 1);
        if (found)
            return found;
    }
    return NULL;
}

static const char *shortest(struct matcher *m, const char *s, const char *p, const char *end)
{
    for (;;) {
        const char *found = match_here(m, s, end + 1);
        if (found)
            return found;
        if (!one(m, s, p, end))
            return NULL;
        s++;
        step(m);
    }
}

static const char *balanced(struct matcher *m, const char *s, const char *p)
{
    if (p + 1 >= m->pattern_end)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->text_end || *s != p[0])
        return NULL;
    int open = 1;
    while (++s < m->text_end) {
        step(m);
        if (*s == p[1]) {
            if (--open == 0)
                return s + 1;
        } else if (*s == p[0]) {
            open++;
        }
    }
    return NULL;
}

static const char *capture_open(struct matcher *m, const char *s, const char *p, ptrdiff_t len)
{
    if (m->level >= CAPTURE_MAX)
        luaL_error(m->L, "too many captures");
    m->captures[m->level++] = (struct capture){.start = s, .len = len};
    const char *found = match_here(m, s, p);
    if (!found)
        m->level--;
    return found;
}

static const char *capture_close(struct matcher *m, const char *s, const char *p)
{
    int i = m->level - 1;
    while (i >= 0 && m->captures[i].len != OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->captures[i].len = s - m->captures[i].start;
    const char *found = match_here(m, s, p);
    if (!found)
        m->captures[i].len = OPEN;
    return found;
}

static const char *back_reference(struct matcher *m, const char *s, char digit)
{
    int i = digit - '1';
    if (i < 0 || i >= m->level || m->captures[i].len < 0)
        luaL_error(m->L, "invalid capture index %%%c", digit);
    size_t len = (size_t)m->captures[i].len;
    if ((size_t)(m->text_end - s) < len || memcmp(m->captures[i].start, s, len) != 0)
        return NULL;
    return s + len;
}

static const char *frontier(struct matcher *m, const char *s, const char **p)
{
    if (*p >= m->pattern_end || **p != '[')
        luaL_error(m->L, "missing '[' after '%%f' in pattern");
    const char *end = element_end(m, *p);
    unsigned char before = s == m->text ? 0 : (unsigned char)s[-1];
    unsigned char here = s < m->text_end ? (unsigned char)*s : 0;
    const char *set = *p;
    *p = end;
    return !in_set(before, set, end) && in_set(here, set, end) ? s : NULL;
}

/* The elements that are no single character; *p moves behind. NULL: no match. */
static const char *special(struct matcher *m, const char *s, const char **p)
{
    char kind = (*p)[1];
    const char *at = *p + 2;
    if (kind == 'b') {
        *p = at + 2;
        return balanced(m, s, at);
    }
    if (kind == 'f') {
        *p = at;
        return frontier(m, s, p);
    }
    *p = at;
    return back_reference(m, s, kind);
}

static const char *match_steps(struct matcher *m, const char *s, const char *p)
{
    for (;;) {
        step(m);
        if (p >= m->pattern_end)
            return s;
        if (*p == '(')
            return p + 1 < m->pattern_end && p[1] == ')' ? capture_open(m, s, p + 2, POSITION)
                                                         : capture_open(m, s, p + 1, OPEN);
        if (*p == ')')
            return capture_close(m, s, p + 1);
        if (*p == '$' && p + 1 == m->pattern_end)
            return s == m->text_end ? s : NULL;
        if (*p == '%' && p + 1 < m->pattern_end &&
            (p[1] == 'b' || p[1] == 'f' || isdigit((unsigned char)p[1]))) {
            s = special(m, s, &p);
            if (!s)
                return NULL;
            continue;
        }
        const char *end = element_end(m, p);
        char repeat = end < m->pattern_end ? *end : '\0';
        if (repeat == '*')
            return longest(m, s, p, end);
        if (repeat == '+')
            return one(m, s, p, end) ? longest(m, s + 1, p, end) : NULL;
        if (repeat == '-')
            return shortest(m, s, p, end);
        if (repeat == '?') {
            if (one(m, s, p, end)) {
                const char *found = match_here(m, s + 1, end + 1);
                if (found)
                    return found;
            }
            p = end + 1;
            continue;
        }
        if (!one(m, s, p, end))
            return NULL;
        s++;
        p = end;
    }
}

static const char *match_here(struct matcher *m, const char *s, const char *p)
{
    if (++m->depth > DEPTH_MAX)
        luaL_error(m->L, "pattern too complex");
    const char *found = match_steps(m, s, p);
    m->depth--;
    return found;
}

/* ---- results ---- */

static void push_capture(struct matcher *m, int i, const char *start, const char *end)
{
    if (i == 0 && m->level == 0) {
        lua_pushlstring(m->L, start, (size_t)(end - start));
        return;
    }
    if (i >= m->level)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    if (m->captures[i].len == POSITION)
        lua_pushinteger(m->L, m->captures[i].start - m->text + 1);
    else if (m->captures[i].len == OPEN)
        luaL_error(m->L, "unfinished capture");
    else
        lua_pushlstring(m->L, m->captures[i].start, (size_t)m->captures[i].len);
}

static int push_captures(struct matcher *m, const char *start, const char *end, bool whole)
{
    int count = m->level == 0 && whole ? 1 : m->level;
    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++)
        push_capture(m, i, start, end);
    return count;
}

static void prepare(struct matcher *m, lua_State *L, int text_index, int pattern_index)
{
    size_t len = 0, pattern_len = 0;
    memset(m, 0, sizeof *m);
    m->L = L;
    m->text = luaL_checklstring(L, text_index, &len);
    m->text_end = m->text + len;
    const char *pattern = luaL_checklstring(L, pattern_index, &pattern_len);
    m->pattern_end = pattern + pattern_len;
}

static const char *start_position(lua_State *L, const struct matcher *m, int index)
{
    lua_Integer init = luaL_optinteger(L, index, 1);
    lua_Integer len = m->text_end - m->text;
    if (init < 0)
        init = init < -len ? 1 : len + init + 1;
    if (init == 0)
        init = 1;
    return init > len + 1 ? NULL : m->text + init - 1;
}

/* First match from *s on; moves *s to its start. */
static const char *search(struct matcher *m, const char **s, const char *pattern)
{
    bool anchored = pattern < m->pattern_end && *pattern == '^';
    do {
        m->level = 0;
        m->depth = 0;
        const char *end = match_here(m, *s, pattern + anchored);
        if (end)
            return end;
        (*s)++;
    } while (*s <= m->text_end && !anchored);
    return NULL;
}

static int find(lua_State *L, bool positions)
{
    struct matcher m;
    prepare(&m, L, 1, 2);
    const char *pattern = lua_tostring(L, 2);
    const char *s = start_position(L, &m, 3);
    if (!s) {
        lua_pushnil(L);
        return 1;
    }
    size_t pattern_len = (size_t)(m.pattern_end - pattern);
    bool plain = positions && (lua_toboolean(L, 4) ||
                               (!strpbrk(pattern, "^$*+?.([%-") && strlen(pattern) == pattern_len));
    if (plain) {
        const char *at = memmem(s, (size_t)(m.text_end - s), pattern, pattern_len);
        if (!at) {
            lua_pushnil(L);
            return 1;
        }
        lua_pushinteger(L, at - m.text + 1);
        lua_pushinteger(L, at - m.text + (lua_Integer)pattern_len);
        return 2;
    }
    const char *end = search(&m, &s, pattern);
    if (!end) {
        lua_pushnil(L);
        return 1;
    }
    if (!positions)
        return push_captures(&m, s, end, true);
    lua_pushinteger(L, s - m.text + 1);
    lua_pushinteger(L, end - m.text);
    return 2 + push_captures(&m, s, end, false);
}

static int string_find(lua_State *L)
{
    return find(L, true);
}

static int string_match(lua_State *L)
{
    return find(L, false);
}

/* Upvalues: text, pattern, next position, end of the last match (0-based, -1 none). */
static int gmatch_next(lua_State *L)
{
    struct matcher m;
    prepare(&m, L, lua_upvalueindex(1), lua_upvalueindex(2));
    const char *pattern = lua_tostring(L, lua_upvalueindex(2));
    const char *s = m.text + lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    for (; s <= m.text_end; s++) {
        m.level = 0;
        m.depth = 0;
        const char *end = match_here(&m, s, pattern);
        if (end && end - m.text != last) {
            lua_pushinteger(L, end - m.text);
            lua_copy(L, -1, lua_upvalueindex(3));
            lua_copy(L, -1, lua_upvalueindex(4));
            lua_pop(L, 1);
            return push_captures(&m, s, end, true);
        }
    }
    return 0;
}

static int string_gmatch(lua_State *L)
{
    struct matcher m;
    prepare(&m, L, 1, 2);
    const char *s = start_position(L, &m, 3);
    lua_settop(L, 2);
    lua_pushinteger(L, s ? s - m.text : m.text_end - m.text + 1);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

static void add_text(struct matcher *m, luaL_Buffer *out, const char *s, const char *end)
{
    size_t len = 0;
    const char *text = lua_tolstring(m->L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
            continue;
        }
        i++;
        if (i < len && text[i] == '%') {
            luaL_addchar(out, '%');
        } else if (i < len && text[i] == '0') {
            luaL_addlstring(out, s, (size_t)(end - s));
        } else if (i < len && isdigit((unsigned char)text[i])) {
            push_capture(m, text[i] - '1', s, end);
            luaL_tolstring(m->L, -1, NULL);
            lua_remove(m->L, -2);
            luaL_addvalue(out);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
    }
}

static void add_value(struct matcher *m, luaL_Buffer *out, const char *s, const char *end)
{
    lua_State *L = m->L;
    int type = lua_type(L, 3);
    if (type == LUA_TNUMBER || type == LUA_TSTRING) {
        add_text(m, out, s, end);
        return;
    }
    if (type == LUA_TTABLE) {
        push_capture(m, 0, s, end);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        int count = push_captures(m, s, end, true);
        lua_call(L, count, 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(out, s, (size_t)(end - s));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    } else {
        luaL_addvalue(out);
    }
}

static int string_gsub(lua_State *L)
{
    struct matcher m;
    prepare(&m, L, 1, 2);
    const char *pattern = lua_tostring(L, 2), *s = m.text, *last = NULL;
    int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE ||
                         type == LUA_TFUNCTION,
                     3, "string/function/table");
    lua_Integer max = luaL_optinteger(L, 4, m.text_end - m.text + 1), count = 0;
    bool anchored = pattern < m.pattern_end && *pattern == '^';
    if (type == LUA_TNUMBER)
        lua_tostring(L, 3);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    while (count < max) {
        m.level = 0;
        m.depth = 0;
        const char *end = match_here(&m, s, pattern + anchored);
        if (end && end != last) {
            count++;
            add_value(&m, &out, s, end);
            s = last = end;
        } else if (s < m.text_end) {
            luaL_addchar(&out, *s++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    luaL_addlstring(&out, s, (size_t)(m.text_end - s));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

void rt_pattern_register(lua_State *L)
{
    static const luaL_Reg functions[] = {{"find", string_find},
                                         {"match", string_match},
                                         {"gmatch", string_gmatch},
                                         {"gsub", string_gsub},
                                         {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
