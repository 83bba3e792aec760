/* Number: text of floating point numbers, shortest that reads back the same. */
#ifndef WEIR_SERDE_NUMBER_H
#define WEIR_SERDE_NUMBER_H

#include "lib/base/buf.h"

enum sd_number_style {
    SD_NUMBER_JSON, /* 0.5 1.0 100000.0 1.5e-7: plain from 1e-7 to 1e21 */
    SD_NUMBER_JAVA, /* Double.toString: plain from 1e-3 to 1e7, else 1.5E-7 */
};

/* `single`: the shortest that reads back as a float. The value is finite. */
void sd_number_put(struct bs_buf *out, double value, bool single, enum sd_number_style style);
void sd_integer_put(struct bs_buf *out, int64_t value);

#endif
