/* Api: the native half of require "weir": null, with, get, equal, array, branch, time, format_time,
 * and what weir.lua itself needs (duration, compile). Runs inside Lua calls. */
#include "runtime/lua/machine.h"

#include "lib/base/option.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* weir.with(value, changes): a copy of the value's fields in their order, changed ones replaced,
 * new ones behind. A change to nil does not exist in Lua; weir.null sets null. */
static void with_fields(lua_State *L, struct bs_bytes base, struct bs_bytes changes,
                        struct bs_buf *out)
{
    struct bs_cursor old, new;
    size_t old_count = 0, new_count = 0, count = 0;
    struct bs_bytes name, value, other;
    if (rt_flat_open(base, &old, &old_count) || base.ptr[0] == RT_TAG_ARRAY)
        luaL_error(L, "weir.with: its first argument must be a record");
    if (rt_flat_open(changes, &new, &new_count))
        luaL_error(L, "weir.with: its second argument must be a table");
    if (changes.ptr[0] == RT_TAG_ARRAY && new_count)
        luaL_error(L, "weir.with: its second argument must have names");
    size_t mark = rt_flat_begin(out, RT_TAG_MAP);
    for (size_t i = 0; i < old_count; i++) {
        if (rt_flat_name(&old, &name) || rt_flat_slice(&old, &value))
            luaL_error(L, "weir.with: the value cannot be read");
        if (!rt_flat_field(changes, name, &other))
            value = other;
        rt_flat_put_name(out, name);
        bs_buf_put(out, value.ptr, value.len);
        count++;
    }
    for (size_t i = 0; i < new_count; i++) {
        if (rt_flat_name(&new, &name) || rt_flat_slice(&new, &value))
            luaL_error(L, "weir.with: the changes cannot be read");
        if (!rt_flat_field(base, name, &other))
            continue;
        rt_flat_put_name(out, name);
        bs_buf_put(out, value.ptr, value.len);
        count++;
    }
    rt_flat_end(out, mark, count);
}

static int api_with(lua_State *L)
{
    struct rt_vm *vm = rt_vm_of(L);
    lua_settop(L, 2);
    if (!rt_view_test(L, 1) && !lua_istable(L, 1))
        return luaL_error(L, "weir.with: its first argument must be a record, it is a %s",
                          rt_lua_is_null(L, 1) ? "null" : luaL_typename(L, 1));
    if (!rt_view_test(L, 2) && !lua_istable(L, 2))
        return luaL_error(L, "weir.with: its second argument must be a table of changes");
    struct bs_buf *out = &vm->scratch;
    size_t start = out->len;
    rt_lua_flatten(L, 1, out);
    size_t base_len = out->len - start;
    rt_lua_flatten(L, 2, out);
    size_t changes_len = out->len - start - base_len;
    /* Room first: the slices below point into the buffer. */
    bs_buf_reserve(out, 2 * (base_len + changes_len) + 64);
    with_fields(L, bs_bytes(out->data + start, base_len),
                bs_bytes(out->data + start + base_len, changes_len), out);
    size_t from = start + base_len + changes_len;
    rt_view_push_tree(L, bs_bytes(out->data + from, out->len - from));
    out->len = start;
    return 1;
}

static int api_get(lua_State *L)
{
    lua_settop(L, 3);
    if (!rt_view_test(L, 1) && !lua_istable(L, 1))
        return luaL_error(L, "weir.get: its first argument must be a record");
    struct rt_vm *vm = rt_vm_of(L);
    size_t noted = vm->missing.len;
    lua_pushvalue(L, 2);
    lua_gettable(L, 1);
    vm->missing.len = noted; /* asking with a default is no mistake */
    if (lua_isnil(L, -1))
        lua_pushvalue(L, 3);
    return 1;
}

static int api_equal(lua_State *L)
{
    struct rt_vm *vm = rt_vm_of(L);
    lua_settop(L, 2);
    struct bs_buf *out = &vm->scratch;
    size_t start = out->len;
    rt_lua_flatten(L, 1, out);
    size_t middle = out->len;
    rt_lua_flatten(L, 2, out);
    struct rt_datum left, right;
    struct sd_value a, b;
    bool same = !rt_datum_from_flat(bs_bytes(out->data + start, middle - start), &left) &&
                !rt_datum_from_flat(bs_bytes(out->data + middle, out->len - middle), &right) &&
                !rt_datum_value(&left, vm->arena, &a, NULL) &&
                !rt_datum_value(&right, vm->arena, &b, NULL);
    if (same && a.type == SD_RECORD)
        a.type = SD_MAP;
    if (same && b.type == SD_RECORD)
        b.type = SD_MAP;
    same = same && sd_value_equal(&a, &b);
    out->len = start;
    lua_pushboolean(L, same);
    return 1;
}

static int api_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, (void *)api_array);
    lua_setmetatable(L, 1);
    return 1;
}

static int api_branch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    lua_createtable(L, 2, 0);
    lua_insert(L, 1);
    lua_rawseti(L, 1, 2);
    lua_rawseti(L, 1, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, (void *)api_branch);
    lua_setmetatable(L, 1);
    return 1;
}

/* ---- time ---- */

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool digits(const char **at, int max, int64_t *ret)
{
    const char *from = *at;
    int64_t n = 0;
    while (*at - from < max && isdigit((unsigned char)**at))
        n = n * 10 + (*(*at)++ - '0');
    *ret = n;
    return *at > from;
}

struct moment {
    int64_t year, month, day, hour, minute, second, ms, zone_s, epoch_s;
    bool has_epoch;
};

static bool read_zone(const char **at, struct moment *m)
{
    int64_t hours = 0, minutes = 0;
    if (**at == 'Z') {
        (*at)++;
        return true;
    }
    int sign = **at == '-' ? -1 : 1;
    if (**at != '+' && **at != '-')
        return false;
    (*at)++;
    if (!digits(at, 2, &hours))
        return false;
    if (**at == ':')
        (*at)++;
    if (!digits(at, 2, &minutes))
        return false;
    m->zone_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool read_fraction(const char **at, int64_t *ms)
{
    const char *from = *at;
    int64_t scale = 100;
    *ms = 0;
    for (; isdigit((unsigned char)**at); (*at)++, scale /= 10)
        *ms += (**at - '0') * scale;
    return *at > from;
}

static bool read_month(const char **at, int64_t *month)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int i = 0; i < 12; i++)
        if (strncasecmp(*at, names + i * 3, 3) == 0) {
            *at += 3;
            *month = i + 1;
            return true;
        }
    return false;
}

static bool read_part(lua_State *L, char kind, const char **at, struct moment *m)
{
    switch (kind) {
    case 'Y':
        return digits(at, 4, &m->year);
    case 'm':
        return digits(at, 2, &m->month);
    case 'd':
        return digits(at, 2, &m->day);
    case 'H':
        return digits(at, 2, &m->hour);
    case 'M':
        return digits(at, 2, &m->minute);
    case 'S':
        return digits(at, 2, &m->second);
    case 'b':
        return read_month(at, &m->month);
    case 'f':
        return read_fraction(at, &m->ms);
    case 'z':
        return read_zone(at, m);
    case 's':
        m->has_epoch = true;
        return digits(at, 18, &m->epoch_s);
    default:
        luaL_error(L, "weir.time: %%%c is not known; %%Y %%m %%d %%b %%H %%M %%S %%f %%z %%s are",
                   kind);
        return false;
    }
}

static bool in_range(const struct moment *m)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (m->month < 1 || m->month > 12 || m->day < 1 || m->hour > 23 || m->minute > 59 ||
        m->second > 60)
        return false;
    bool leap = (m->year % 4 == 0 && m->year % 100 != 0) || m->year % 400 == 0;
    return m->day <= days[m->month - 1] + (m->month == 2 && leap);
}

/* weir.time(text, format) → ms since 1970, UTC. */
static int api_time(lua_State *L)
{
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L, "weir.time: takes (text, format); its text is %s",
                          rt_lua_is_null(L, 1) ? "null" : luaL_typename(L, 1));
    const char *text = lua_tostring(L, 1), *at = text;
    const char *format = luaL_optstring(L, 2, "%Y-%m-%dT%H:%M:%S");
    struct moment m = {.year = 1970, .month = 1, .day = 1};
    bool fits = true;
    for (const char *f = format; *f && fits; f++) {
        if (*f == '%' && f[1]) {
            fits = read_part(L, *++f, &at, &m);
        } else if (isspace((unsigned char)*f)) {
            while (isspace((unsigned char)*at))
                at++;
        } else {
            fits = *at == *f;
            at += fits;
        }
    }
    if (!fits || *at || !in_range(&m))
        return luaL_error(L, "weir.time: '%s' is not a time of the form '%s'", text, format);
    int64_t seconds = m.has_epoch ? m.epoch_s
                                  : days_of(m.year, (int)m.month, (int)m.day) * 86400 +
                                        m.hour * 3600 + m.minute * 60 + m.second - m.zone_s;
    lua_pushinteger(L, seconds * 1000 + m.ms);
    return 1;
}

static int api_format_time(lua_State *L)
{
    int64_t ms = luaL_checkinteger(L, 1);
    const char *format = luaL_optstring(L, 2, "%Y-%m-%dT%H:%M:%SZ");
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm tm;
    char spec[256], text[512];
    if (!gmtime_r(&seconds, &tm))
        return luaL_error(L, "weir.format_time: %I is out of range", (lua_Integer)ms);
    size_t n = 0;
    for (const char *f = format; *f; f++) { /* %f: milliseconds, which strftime does not know */
        if (n + 8 > sizeof spec)
            return luaL_error(L, "weir.format_time: its format is too long");
        if (f[0] == '%' && f[1] == 'f') {
            n += (size_t)snprintf(spec + n, sizeof spec - n, "%03d",
                                  (int)(((ms % 1000) + 1000) % 1000));
            f++;
            continue;
        }
        spec[n++] = *f;
        if (*f == '%' && f[1])
            spec[n++] = *++f;
    }
    spec[n] = '\0';
    size_t len = *spec ? strftime(text, sizeof text, spec, &tm) : 0;
    if (!len && *spec)
        return luaL_error(L, "weir.format_time: the result is too long");
    lua_pushlstring(L, text, len);
    return 1;
}

/* ---- for weir.lua ---- */

static int api_duration(lua_State *L)
{
    int64_t ms = 0;
    if (lua_isinteger(L, 1))
        ms = lua_tointeger(L, 1);
    else if (lua_type(L, 1) != LUA_TSTRING || bs_parse_duration_ms(lua_tostring(L, 1), &ms))
        ms = -1;
    if (ms < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, ms);
    return 1;
}

/* An expression's chunk: text only, and nothing in sight but what its parameter holds. */
static int api_compile(lua_State *L)
{
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *name = lua_pushfstring(L, "=[expression \"%s\"]", luaL_checkstring(L, 2));
    lua_newtable(L);
    int env = lua_gettop(L);
    if (rt_vm_load(L, bs_bytes(text, len), name, env)) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    return 1;
}

static const void *new_type(lua_State *L, const char *name, void *key)
{
    lua_newtable(L);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    const void *type = lua_topointer(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
    return type;
}

void rt_api_push(lua_State *L)
{
    static const luaL_Reg functions[] = {{"with", api_with},
                                         {"get", api_get},
                                         {"equal", api_equal},
                                         {"array", api_array},
                                         {"branch", api_branch},
                                         {"time", api_time},
                                         {"format_time", api_format_time},
                                         {"duration", api_duration},
                                         {"compile", api_compile},
                                         {NULL, NULL}};
    struct rt_vm *vm = rt_vm_of(L);
    vm->array_type = new_type(L, "array", (void *)api_array);
    vm->branch_type = new_type(L, "branch", (void *)api_branch);
    luaL_newlib(L, functions);
    rt_lua_push_null(L);
    lua_setfield(L, -2, "null");
}
