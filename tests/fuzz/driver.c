/* Driver: runs a fuzz target without libFuzzer: every seed as it is, then seeded mutations of them
 * and random bytes. The same arguments give the same inputs. One thread.
 *
 *   NAME [--runs N] [--seed N] [FILE…]     FILE: a seed, or an input to try again; a folder of them
 *
 * The input under way is in memory of exactly its size. When the target crashes, run it again in a
 * debugger: it is the run with the same number. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED_MAX = 1024, INPUT_BYTES_MAX = 65536, OWN_MAX = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* A target may bring seeds of its own: bytes of seed n in out (room for INPUT_BYTES_MAX), or 0. */
__attribute__((weak)) size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

struct seed {
    uint8_t *bytes;
    size_t len;
};

static uint64_t random_state;

static uint32_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        exit(2);
    if (len)
        memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static size_t file_load(const char *path, uint8_t *out)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "fuzz: cannot read %s\n", path);
        exit(2);
    }
    size_t len = fread(out, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    return len;
}

static struct seed seeds[SEED_MAX];
static size_t seed_count;

static void seed_add(const char *path)
{
    static uint8_t input[INPUT_BYTES_MAX];
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    if (count >= 0) {
        for (int i = 0; i < count; free(names[i++])) {
            char inside[4096];
            snprintf(inside, sizeof inside, "%s/%s", path, names[i]->d_name);
            if (names[i]->d_name[0] != '.')
                seed_add(inside);
        }
        free(names);
        return;
    }
    if (seed_count == SEED_MAX) {
        fprintf(stderr, "fuzz: more than %d seeds\n", SEED_MAX);
        exit(2);
    }
    seeds[seed_count].len = file_load(path, input);
    seeds[seed_count].bytes = malloc(seeds[seed_count].len + 1);
    memcpy(seeds[seed_count].bytes, input, seeds[seed_count].len);
    run(input, seeds[seed_count++].len);
}

/* Changes bytes in place and may cut the end. */
static size_t mutate(uint8_t *bytes, size_t len)
{
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    for (uint32_t n = random_next() % 6; n > 0 && len > 0; n--) {
        size_t at = random_next() % len;
        switch (random_next() % 4) {
        case 0:
            bytes[at] = edges[random_next() % sizeof edges];
            break;
        case 1:
            bytes[at] ^= (uint8_t)(1u << random_next() % 8);
            break;
        case 2:
            bytes[at] = (uint8_t)random_next();
            break;
        default:
            memmove(bytes + at, bytes + random_next() % len / 2, (len - at) / 2);
        }
    }
    return random_next() % 4 == 0 && len > 0 ? random_next() % len : len;
}

/* How many seeds the target has; OWN_MAX: one for every number. */
static size_t own_count;

static void count_own(uint8_t *out)
{
    while (fuzz_seed && own_count < OWN_MAX && fuzz_seed(own_count, out, INPUT_BYTES_MAX) > 0)
        own_count++;
}

static size_t own_seed(void)
{
    return own_count == OWN_MAX ? random_next() : random_next() % own_count;
}

static size_t make_input(size_t n, uint8_t *out)
{
    if (n % 16 == 15) {
        size_t len = random_next() % 256;
        for (size_t i = 0; i < len; i++)
            out[i] = (uint8_t)random_next();
        return len;
    }
    size_t len = own_count ? fuzz_seed(own_seed(), out, INPUT_BYTES_MAX) : 0;
    if (len == 0 && seed_count > 0) {
        const struct seed *seed = &seeds[random_next() % seed_count];
        memcpy(out, seed->bytes, seed->len);
        len = seed->len;
    }
    return mutate(out, len);
}

int main(int argc, char **argv)
{
    static uint8_t input[INPUT_BYTES_MAX];
    size_t runs = 20000;
    random_state = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            runs = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            random_state = strtoull(argv[++i], NULL, 10);
        } else {
            seed_add(argv[i]);
        }
    }
    count_own(input);
    for (size_t n = 0; n < own_count && own_count < OWN_MAX; n++)
        run(input, fuzz_seed(n, input, INPUT_BYTES_MAX));
    for (size_t n = 0; n < runs; n++)
        run(input, make_input(n, input));
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].bytes);
    printf("%zu inputs from %zu seed files: no finding\n", runs, seed_count);
    return 0;
}
