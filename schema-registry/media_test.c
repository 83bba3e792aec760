/* Media: what Accept and Content-Type headers mean. */
#include "schema-registry/media.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_quality(void **state)
{
    static const struct {
        const char *accept, *type;
        int want;
    } rows[] = {
        {NULL, "text/html", 1000},
        {"", "text/html", 1000},
        {" , ", "text/html", 1000},
        {"*/*", "text/html", 1000},
        {"*", "text/html", 1000},
        {"text/*", "text/html", 1000},
        {"TEXT/HTML", "text/html", 1000},
        {"text/html", "application/json", 0},
        {"text/html;q=0.5", "text/html", 500},
        {"text/html ; level=1 ; Q=0.25", "text/html", 250},
        {"text/html;q=0", "text/html", 0},
        {"text/html;q=0.000, */*", "text/html", 0},
        {"*/*, text/html;q=0.1", "text/html", 100}, /* the closest one counts, not the first */
        {"*/*;q=0.1, text/*;q=0.2, text/html;q=0.3", "text/html", 300},
        {"*/*;q=0.1, text/*;q=0.2", "text/html", 200},
        {"text/html;q=1.000", "text/html", 1000},
        {"text/html;q=1.5", "text/html", 1000},
        {"text/html;q=0.1234", "text/html", 123},
        {"text/html;q=", "text/html", 1000},
        {"text/html;q=x", "text/html", 1000},
        {"text/html;x=\",text/plain;q=0\";q=0.5", "text/html", 500},
        {"text/html;x=\"", "text/html", 1000},
        {"text/htm", "text/html", 0},
        {"text/html/x", "text/html", 0},
        {"text/*x", "text/html", 0},
        {"garbage, text/html;q=0.7", "text/html", 700},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (sr_media_quality(rows[i].accept, rows[i].type) != rows[i].want)
            fail_msg("%s of %s: %d, want %d", rows[i].type, rows[i].accept,
                     sr_media_quality(rows[i].accept, rows[i].type), rows[i].want);
}

static void test_choice(void **state)
{
    static const char chrome[] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,"
                                 "image/webp,image/apng,*/*;q=0.8";
    static const struct {
        const char *accept, *json; /* or NULL */
        bool html;
    } rows[] = {
        {NULL, SR_TYPE_V1, false},
        {"*/*", SR_TYPE_V1, false},
        {chrome, SR_TYPE_V1, true},
        {"text/html", NULL, true},
        {"text/html, application/json", SR_TYPE_JSON, false},
        {"text/html, application/json;q=0.9", SR_TYPE_JSON, true},
        {"text/html;q=0.4, application/*;q=0.5", SR_TYPE_V1, false},
        {"application/json", SR_TYPE_JSON, false},
        {"application/json, application/vnd.schemaregistry+json;q=0.9", SR_TYPE_JSON, false},
        {"application/json;q=0.9, application/vnd.schemaregistry+json;q=0.9", SR_TYPE_ANY, false},
        {"application/vnd.schemaregistry.v1+json; q=0.9, application/json; q=0.5", SR_TYPE_V1,
         false},
        {"application/vnd.schemaregistry.v1+json;q=0, */*", SR_TYPE_ANY, false},
        {"application/*", SR_TYPE_V1, false},
        {"application/xml", NULL, false},
        {"*/*;q=0", NULL, false},
        {"image/png, text/css", NULL, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *json = sr_media_json(rows[i].accept);
        if (json != rows[i].json && (!json || !rows[i].json || strcmp(json, rows[i].json) != 0))
            fail_msg("%s gives %s, want %s", rows[i].accept, json, rows[i].json);
        if (sr_media_prefers_html(rows[i].accept) != rows[i].html)
            fail_msg("%s: HTML", rows[i].accept);
    }
}

static void test_body(void **state)
{
    static const char *const taken[] = {NULL,
                                        "",
                                        "application/json",
                                        "Application/JSON; charset=utf-8",
                                        " application/vnd.schemaregistry.v1+json",
                                        "application/vnd.schemaregistry+json;x",
                                        "application/octet-stream"};
    static const char *const refused[] = {"text/plain",
                                          "*/*",
                                          "application/*",
                                          "application/jsonx",
                                          "application/json, text/plain",
                                          "application/x-www-form-urlencoded",
                                          "text/html"};
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!sr_media_is_json(taken[i]))
            fail_msg("%s is refused", taken[i]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (sr_media_is_json(refused[i]))
            fail_msg("%s is taken", refused[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quality),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
