/* Number: see number.h. Most numbers in records have few decimals: those are found by scaling with
 * a power of ten that is exact in a double; the rest goes through printf until it reads back. */
#include "lib/serde/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void sd_integer_put(struct bs_buf *out, int64_t value)
{
    char text[20];
    size_t at = sizeof text;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (value < 0)
        bs_buf_put_u8(out, '-');
    bs_buf_put(out, text + at, sizeof text - at);
}

static bool reads_back(double candidate, double value, bool single)
{
    return single ? (float)candidate == (float)value : candidate == value;
}

/* Up to five decimals, below 2^53 when scaled: written from two integers. */
static bool put_short_decimal(struct bs_buf *out, double value, bool single)
{
    static const double scales[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5};
    double limit = single ? 16777216.0 : 9007199254740992.0;
    double size = fabs(value);
    if (size >= limit || (size != 0 && size < 1e-5) || (value == 0 && signbit(value)))
        return false;
    for (unsigned k = 0; k < sizeof scales / sizeof *scales; k++) {
        double scaled = nearbyint(size * scales[k]);
        if (scaled >= limit)
            return false;
        if (reads_back(scaled / scales[k], size, single)) {
            uint64_t whole = (uint64_t)scaled / (uint64_t)scales[k];
            uint64_t part = (uint64_t)scaled % (uint64_t)scales[k];
            char digits[8] = "0";
            unsigned width = k ? k : 1;
            for (unsigned i = width; i-- > 0; part /= 10)
                digits[i] = (char)('0' + part % 10);
            if (value < 0)
                bs_buf_put_u8(out, '-');
            sd_integer_put(out, (int64_t)whole);
            bs_buf_put_u8(out, '.');
            bs_buf_put(out, digits, width);
            return true;
        }
    }
    return false;
}

/* digits "d…" and the power of ten of the first digit. Returns how many digits. */
static int shortest_digits(double size, bool single, char *digits, int *ret_exponent)
{
    char text[40];
    int count = 0;
    bool denormal = size < (single ? 1.2e-38 : 2.3e-308); /* fewer digits tell them apart */
    for (int precision = denormal ? 0 : single ? 5 : 14;; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, size);
        if (precision >= (single ? 8 : 16) ||
            reads_back(single ? (double)strtof(text, NULL) : strtod(text, NULL), size, single))
            break;
    }
    for (const char *at = text; *at && *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    *ret_exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    return count;
}

static void put_plain(struct bs_buf *out, const char *digits, int count, int exponent)
{
    if (exponent < 0) {
        bs_buf_puts(out, "0.");
        for (int i = -1; i > exponent; i--)
            bs_buf_put_u8(out, '0');
        bs_buf_put(out, digits, (size_t)count);
        return;
    }
    for (int i = 0; i <= exponent; i++)
        bs_buf_put_u8(out, i < count ? (uint8_t)digits[i] : '0');
    bs_buf_put_u8(out, '.');
    if (count > exponent + 1)
        bs_buf_put(out, digits + exponent + 1, (size_t)(count - exponent - 1));
    else
        bs_buf_put_u8(out, '0');
}

void sd_number_put(struct bs_buf *out, double value, bool single, enum sd_number_style style)
{
    char digits[40];
    double size = fabs(value);
    bool java = style == SD_NUMBER_JAVA;
    int count, exponent;
    if (!java && put_short_decimal(out, value, single))
        return;
    if (signbit(value))
        bs_buf_put_u8(out, '-');
    if (size == 0) {
        bs_buf_puts(out, "0.0");
        return;
    }
    count = shortest_digits(size, single, digits, &exponent);
    if (exponent >= (java ? -3 : -7) && exponent < (java ? 7 : 21)) {
        put_plain(out, digits, count, exponent);
        return;
    }
    bs_buf_put_u8(out, (uint8_t)digits[0]);
    if (count > 1 || java) {
        bs_buf_put_u8(out, '.');
        if (count > 1)
            bs_buf_put(out, digits + 1, (size_t)count - 1);
        else
            bs_buf_put_u8(out, '0');
    }
    bs_buf_put_u8(out, java ? 'E' : 'e');
    sd_integer_put(out, exponent);
}
