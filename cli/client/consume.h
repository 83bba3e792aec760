/* Consume: what weir consume's reader and printer share. One thread. */
#ifndef WEIR_CLI_CLIENT_CONSUME_H
#define WEIR_CLI_CLIENT_CONSUME_H

#include "cli/client/codec.h"
#include "cli/client/kafka.h"

enum cl_show { CL_SHOW_VALUE, CL_SHOW_KEY, CL_SHOW_RECORD };

struct cl_printer {
    struct cl_codec key, value;
    enum cl_show show;
    const char *separator; /* between key and value */
    struct bs_buf line;
};

/* One line on stdout. */
int cl_printer_print(struct cl_printer *printer, const rd_kafka_message_t *message,
                     struct bs_error *err);
void cl_printer_deinit(struct cl_printer *printer);

#endif
