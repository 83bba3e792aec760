/* Task: a pipeline without Kafka: how many records one core takes through the flights example
 * (decode, timestamp, filter, join, group, window, sink), as one JSON line.
 *
 *   task_bench FOLDER [REPEATS]     examples/flights; each repeat is the whole file a year later
 */
#include "runtime/pipeline/content.h"
#include "runtime/testing/driver.h"

#include "lib/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct encoded {
    size_t at, len;
};

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *load(const char *folder, const char *name)
{
    char *path = bs_asprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    char *text = bs_zalloc(4 << 20);
    size_t n = fread(text, 1, (4 << 20) - 1, file);
    text[n] = '\0';
    fclose(file);
    bs_free(path);
    return text;
}

static void fail(const struct bs_error *err)
{
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

/* A CSV line as flat record; `types`: s string, i integer, d double per column. */
static void flatten(char *line, const char *const *names, const char *types, int year,
                    struct bs_buf *out)
{
    out->len = 0;
    size_t mark = rt_flat_begin(out, RT_TAG_MAP), count = strlen(types);
    for (size_t i = 0; i < count; i++) {
        char *field = strsep(&line, ",");
        char date[32];
        rt_flat_put_name(out, bs_bytes_text(names[i]));
        if (types[i] == 'i') {
            rt_flat_put_long(out, strtoll(field, NULL, 10));
        } else if (types[i] == 'd') {
            rt_flat_put_double(out, strtod(field, NULL));
        } else if (year && i == 0) {
            snprintf(date, sizeof date, "%04d%.20s", year, field + 4);
            rt_flat_put_text(out, RT_TAG_STRING, bs_bytes_text(date));
        } else {
            rt_flat_put_text(out, RT_TAG_STRING, bs_bytes_text(field));
        }
    }
    rt_flat_end(out, mark, count);
}

static size_t add_file(struct rt_driver *driver, const char *folder, const char *name,
                       const char *topic, const char *const *names, const char *types, int year,
                       struct bs_buf *all, struct encoded *lines)
{
    struct bs_error err = {0};
    struct bs_buf flat = BS_BUF_INIT;
    struct bs_arena arena;
    struct rt_datum datum;
    size_t count = 0;
    bool null;
    char *text = load(folder, name), *at = text;
    bs_arena_init(&arena);
    strsep(&at, "\n");
    for (char *line; (line = strsep(&at, "\n")) && *line;) {
        line[strcspn(line, "\r")] = '\0';
        flatten(line, names, types, year, &flat);
        rt_datum_from_flat(bs_buf_bytes(&flat), &datum);
        lines[count].at = all->len;
        if (rt_driver_encode(driver, rt_driver_source(driver, topic), topic, false, &datum, &arena,
                             all, &null, &err))
            fail(&err);
        lines[count].len = all->len - lines[count].at;
        count++;
        bs_arena_reset(&arena);
    }
    bs_arena_deinit(&arena);
    bs_buf_deinit(&flat);
    bs_free(text);
    return count;
}

static void add_schema(struct rt_driver *driver, const char *folder, const char *file,
                       const char *topic)
{
    struct bs_error err = {0};
    char *text = load(folder, file);
    struct rt_driver_schema schema = {.topic = topic, .text = bs_bytes_text(text)};
    if (rt_driver_schema(driver, &schema, &err))
        fail(&err);
    bs_free(text);
}

int main(int argc, char **argv)
{
    static const char *const airport[] = {"iata",    "name",     "city",     "state",
                                          "country", "latitude", "longitude"};
    static const char *const flight[] = {"date", "delay", "distance", "origin", "destination"};
    struct bs_error err = {0};
    struct bs_buf all = BS_BUF_INIT;
    if (argc < 2) {
        fprintf(stderr, "usage: task_bench FOLDER [REPEATS]\n");
        return 2;
    }
    int repeats = argc > 2 ? atoi(argv[2]) : 20;
    char *file = bs_asprintf("%s/delays.lua", argv[1]);
    struct rt_driver *driver = rt_driver_new(file);
    struct encoded *lines = bs_array((size_t)repeats * 25000 + 10000, sizeof *lines);
    add_schema(driver, argv[1], "airports.avsc", "airports");
    add_schema(driver, argv[1], "flights.avsc", "flights");
    if (rt_driver_load(driver, &err))
        fail(&err);
    size_t count =
        add_file(driver, argv[1], "airports.csv", "airports", airport, "sssssdd", 0, &all, lines);
    for (size_t i = 0; i < count; i++) { /* the key is the first field: a length byte, then text */
        const uint8_t *value = all.data + lines[i].at;
        struct rt_message message = {.topic = "airports",
                                     .key = bs_bytes(value + 6, value[5] / 2),
                                     .value = bs_bytes(value, lines[i].len)};
        if (rt_driver_pipe(driver, &message, &err))
            fail(&err);
    }
    all.len = 0;
    count = 0;
    for (int i = 0; i < repeats; i++)
        count += add_file(driver, argv[1], "flights.csv", "flights", flight, "siiss", 2001 + i,
                          &all, lines + count);
    rt_driver_discard(driver, true);
    double start = cpu_s();
    for (size_t i = 0; i < count; i++) {
        struct rt_message message = {.topic = "flights",
                                     .value = bs_bytes(all.data + lines[i].at, lines[i].len)};
        if (rt_driver_pipe(driver, &message, &err))
            fail(&err);
    }
    double took = cpu_s() - start;
    printf("{\"bench\":\"task\",\"records\":%zu,\"outputs\":%" PRIu64
           ",\"cpu_s\":%.3f,\"records_per_s\":%.0f,\"us_per_record\":%.3f}\n",
           count, rt_driver_discarded(driver), took, (double)count / took,
           took * 1e6 / (double)count);
    rt_driver_free(driver);
    bs_free(lines);
    bs_free(file);
    bs_buf_deinit(&all);
    return 0;
}
