/* Response: what handlers put into it: the JSON error, header fields. */
#include "lib/http/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ht_response_field(struct ht_response *response, const char *name, const char *value)
{
    if (response->field_count == HT_FIELDS_MAX)
        abort(); /* a handler that sets more than there ever were */
    response->fields[response->field_count++] = (struct ht_field){name, value};
}

int ht_error(struct ht_response *response, int status, int code, const char *fmt, ...)
{
    struct bs_buf message = BS_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    bs_buf_vprintf(&message, fmt, ap);
    va_end(ap);
    response->status = status;
    bs_buf_reset(&response->body);
    bs_buf_printf(&response->body, "{\"error_code\":%d,\"message\":", code);
    bs_buf_put_json_string(&response->body, (const char *)message.data, message.len);
    bs_buf_puts(&response->body, "}");
    bs_buf_deinit(&message);
    return 0;
}
