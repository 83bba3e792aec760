/* Every message of the protocol, as a broker reads requests and a client responses: 2 bytes choose
 * message and version, the rest is its body. What can be read must be writable and read the same.
 */
#include "lib/kafka/sample.h"

#include "lib/base/mem.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t fuzz_seed(size_t n, uint8_t *out, size_t room);

static int16_t version_pick(const struct kp_message *message, uint8_t pick)
{
    return (int16_t)(message->versions.min +
                     pick % (message->versions.max - message->versions.min + 1));
}

size_t fuzz_seed(size_t n, uint8_t *out, size_t room)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf buf = BS_BUF_INIT;
    uint8_t which = (uint8_t)(n % kp_message_count), pick = (uint8_t)(n / kp_message_count);
    const struct kp_message *message = kp_messages[which];
    int16_t version = version_pick(message, pick);
    void *value = bs_zalloc(message->root->size);
    kp_sample_fill(message, version, n % 5 == 0, &arena, value);
    bs_buf_put_u8(&buf, which);
    bs_buf_put_u8(&buf, pick);
    if (kp_message_encode(message, value, version, &buf) != 0 || buf.len > room)
        abort();
    size_t len = buf.len;
    memcpy(out, buf.data, len);
    bs_free(value);
    bs_buf_deinit(&buf);
    bs_arena_deinit(&arena);
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const struct kp_message *message = kp_messages[data[0] % kp_message_count];
    int16_t version = version_pick(message, data[1]);
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf buf = BS_BUF_INIT;
    void *value = bs_zalloc(message->root->size), *back = bs_zalloc(message->root->size);
    struct bs_cursor in = bs_cursor(bs_bytes(data + 2, size - 2));
    if (kp_message_decode(message, &in, version, &arena, value) == 0) {
        if (bs_arena_used(&arena) > 64 * 1024 + size * 256)
            abort(); /* memory that the input does not account for */
        /* A string of more than 32767 bytes can be read, not written. */
        if (kp_message_encode(message, value, version, &buf) == 0) {
            in = bs_cursor(bs_buf_bytes(&buf));
            if (kp_message_decode(message, &in, version, &arena, back) != 0 ||
                !kp_sample_equal(message->root, value, back))
                abort();
        }
    }
    bs_free(value);
    bs_free(back);
    bs_buf_deinit(&buf);
    bs_arena_deinit(&arena);
    return 0;
}
