/* API: see api.h. Pure; the tables are generated. */
#include "lib/kafka/api.h"

#include "lib/base/err.h"

const struct kp_api *kp_api_find(int16_t key)
{
    for (size_t i = 0; i < kp_api_count; i++)
        if (kp_apis[i].key == key)
            return &kp_apis[i];
    return NULL;
}

static bool is_flexible(int16_t key, int16_t version)
{
    const struct kp_api *api = kp_api_find(key);
    return api && version >= api->first_flexible;
}

int16_t kp_request_header_version(int16_t key, int16_t version)
{
    return is_flexible(key, version) ? 2 : 1;
}

int16_t kp_response_header_version(int16_t key, int16_t version)
{
    return key != KP_API_API_VERSIONS && is_flexible(key, version) ? 1 : 0;
}

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void kp_uuid_format(struct kp_uuid uuid, char ret_text[KP_UUID_TEXT_BYTES])
{
    char *to = ret_text;
    for (int i = 0; i < 15; i += 3) {
        uint32_t v =
            (uint32_t)uuid.bytes[i] << 16 | (uint32_t)uuid.bytes[i + 1] << 8 | uuid.bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            *to++ = digits[v >> shift & 63];
    }
    *to++ = digits[uuid.bytes[15] >> 2];
    *to++ = digits[(uuid.bytes[15] & 3) << 4];
    *to = '\0';
}

int kp_uuid_parse(struct bs_bytes text, struct kp_uuid *ret)
{
    if (text.len != KP_UUID_TEXT_BYTES - 1)
        return BS_ESYNTAX;
    uint32_t bits = 0;
    int have = 0, at = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = text.ptr[i] ? strchr(digits, text.ptr[i]) : NULL;
        if (!digit)
            return BS_ESYNTAX;
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            ret->bytes[at++] = (uint8_t)(bits >> have);
        }
    }
    return (bits & 15) == 0 ? 0 : BS_ESYNTAX;
}
