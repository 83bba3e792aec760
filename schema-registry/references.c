/* References: see references.h. */
#include "schema-registry/references.h"

#include "lib/base/mem.h"

#include <string.h>

enum { SOURCES_MAX = 8 << 20 }; /* what sd_schema_parse takes */

/* What is behind a content: each text after those it refers to. */
struct closure {
    const struct sr_store *store;
    struct bs_arena arena;
    const char **names; /* met so far */
    bool *open;         /* by name: what it refers to is being collected */
    size_t name_count;
    struct sd_reference *texts;
    size_t count;
    bool live;
    sr_content_ask *ask; /* or NULL */
    void *ctx;
};

static int collect(struct closure *c, const char *subject, const struct sr_content *content,
                   unsigned depth, struct bs_error *err);

static int collect_one(struct closure *c, const char *subject, const struct sr_ref *ref,
                       unsigned depth, struct bs_error *err)
{
    const char *holder = sr_name_beside(&c->arena, subject, ref->subject);
    bool live = c->live && depth == 0;
    const struct sr_version *version =
        sr_subject_version(sr_store_subject(c->store, holder), ref->version, !live);
    size_t at = c->name_count;
    int rc;
    if (version == NULL || version->entry->other_type)
        return bs_error_set(err, BS_ENOTFOUND,
                            "No schema reference found for subject \"%s\" and version %d",
                            ref->subject, ref->version);
    if (c->ask && !c->ask(c->ctx, holder))
        return bs_error_set(err, BS_EDENIED, "what is referred to may not be read");
    if (at == SR_REFERENCES_MAX)
        return bs_error_set(err, BS_ELIMIT, "more than %d references behind one schema",
                            SR_REFERENCES_MAX);
    c->names[at] = ref->name;
    c->open[at] = true;
    c->name_count++;
    rc = collect(c, holder, &version->entry->content, depth + 1, err);
    c->open[at] = false;
    if (rc == 0)
        c->texts[c->count++] =
            (struct sd_reference){.name = ref->name, .text = version->entry->content.text};
    return rc;
}

static int collect(struct closure *c, const char *subject, const struct sr_content *content,
                   unsigned depth, struct bs_error *err)
{
    int rc = 0;
    if (depth > SR_REFERENCE_DEPTH_MAX)
        return bs_error_set(err, BS_ELIMIT, "references are nested deeper than %d",
                            SR_REFERENCE_DEPTH_MAX);
    for (size_t i = 0; i < content->ref_count && rc == 0; i++) {
        const struct sr_ref *ref = &content->refs[i];
        size_t at = 0;
        while (at < c->name_count && strcmp(c->names[at], ref->name) != 0)
            at++;
        if (at == c->name_count)
            rc = collect_one(c, subject, ref, depth, err);
        else if (c->open[at])
            rc = bs_error_set(err, BS_EINVAL, "references to \"%s\" form a cycle", ref->name);
    }
    return rc;
}

static int collect_all(struct closure *c, const char *subject, const struct sr_content *content,
                       struct bs_error *err)
{
    c->names = bs_arena_array(&c->arena, SR_REFERENCES_MAX, sizeof(const char *));
    c->open = bs_arena_array(&c->arena, SR_REFERENCES_MAX, sizeof *c->open);
    c->texts = bs_arena_array(&c->arena, SR_REFERENCES_MAX, sizeof *c->texts);
    return collect(c, subject ? subject : "", content, 0, err);
}

int sr_content_behind(const struct sr_store *store, const char *subject,
                      const struct sr_content *content, sr_content_ask *ask, void *ctx,
                      struct bs_error *err)
{
    struct closure c = {.store = store, .ask = ask, .ctx = ctx};
    int rc = collect_all(&c, subject, content, err);
    bs_arena_deinit(&c.arena);
    return rc;
}

static struct bs_bytes text_copy(struct bs_arena *arena, struct bs_bytes text)
{
    return bs_bytes(bs_arena_dup(arena, text.ptr, text.len), text.len);
}

/* Each text once, however many names it is referred to by. */
static int copy_texts(const struct closure *c, size_t bytes, struct sr_sources *to,
                      struct bs_error *err)
{
    to->refs = bs_arena_array(&to->arena, c->count, sizeof *to->refs);
    for (; to->ref_count < c->count; to->ref_count++) {
        const struct sd_reference *from = &c->texts[to->ref_count];
        struct sd_reference *ref = &to->refs[to->ref_count];
        size_t same = 0;
        ref->name = bs_arena_strndup(&to->arena, from->name, strlen(from->name));
        while (same < to->ref_count && c->texts[same].text.ptr != from->text.ptr)
            same++;
        if (same < to->ref_count) {
            ref->text = to->refs[same].text;
            continue;
        }
        bytes += from->text.len;
        if (bytes > SOURCES_MAX)
            return bs_error_set(err, BS_ELIMIT, "references take more than %d bytes together",
                                SOURCES_MAX);
        ref->text = text_copy(&to->arena, from->text);
    }
    return 0;
}

int sr_sources_take(const struct sr_store *store, const char *subject,
                    const struct sr_content *content, bool live, struct sr_sources *ret,
                    struct bs_error *err)
{
    struct closure c = {.store = store, .live = live};
    int rc;
    *ret = (struct sr_sources){0};
    ret->text = text_copy(&ret->arena, content->text);
    if (content->ref_count == 0)
        return 0;
    rc = collect_all(&c, subject, content, err);
    if (rc == 0)
        rc = copy_texts(&c, content->text.len, ret, err);
    bs_arena_deinit(&c.arena);
    return rc;
}

void sr_sources_free(struct sr_sources *sources)
{
    bs_arena_deinit(&sources->arena);
}

int sr_sources_parse(const struct sr_sources *sources, bool strict, struct sd_schema **ret,
                     struct bs_error *err)
{
    return sd_schema_parse(sources->text, strict, sources->refs, sources->ref_count, ret, err);
}

int sr_content_parse(const struct sr_store *store, const char *subject,
                     const struct sr_content *content, bool strict, bool live,
                     struct sd_schema **ret, struct bs_error *err)
{
    struct sr_sources sources;
    int rc = sr_sources_take(store, subject, content, live, &sources, err);
    if (rc == 0)
        rc = sr_sources_parse(&sources, strict, ret, err);
    sr_sources_free(&sources);
    return rc;
}

int sr_content_resolve(const struct sr_store *store, const char *subject,
                       const struct sr_content *content, struct bs_buf *out, struct bs_error *err)
{
    struct sd_schema *schema;
    int rc;
    if (content->ref_count == 0) {
        bs_buf_put(out, content->text.ptr, content->text.len);
        return 0;
    }
    rc = sr_content_parse(store, subject, content, false, false, &schema, err);
    if (rc < 0)
        return rc;
    rc = sd_schema_resolved(schema, out);
    sd_schema_unref(schema);
    return rc < 0 ? bs_error_set(err, rc, "the references are nested too deeply to be written out")
                  : 0;
}

/* A content without references that is another one with its references written out. */
static bool is_resolved_form(const struct sr_store *store, const char *subject,
                             const struct sr_content *content, const struct sr_version *version)
{
    const struct sr_content *have = &version->entry->content;
    struct bs_buf text = BS_BUF_INIT;
    bool same;
    /* written out a text only grows */
    if (content->ref_count || have->ref_count == 0 || content->text.len <= have->text.len ||
        !sr_content_matches_about(content, have, version->number))
        return false;
    same = sr_content_resolve(store, subject, have, &text, NULL) == 0 &&
           bs_bytes_equal(bs_buf_bytes(&text), content->text);
    bs_buf_deinit(&text);
    return same;
}

bool sr_version_has(const struct sr_store *store, const char *subject,
                    const struct sr_version *version, const struct sr_content *content)
{
    return !version->entry->other_type &&
           (sr_content_same_digest(content, &version->entry->content) ||
            sr_content_matches(content, &version->entry->content, version->number) ||
            is_resolved_form(store, subject, content, version));
}

const struct sr_version *sr_content_find(const struct sr_store *store, const char *subject,
                                         const struct sr_content *content, bool deleted_too)
{
    const struct sr_subject *holder = sr_store_subject(store, subject);
    const struct sr_version *found = sr_subject_find(holder, content, deleted_too);
    for (size_t i = holder ? holder->count : 0; i-- > 0 && found == NULL;) {
        const struct sr_version *version = &holder->versions[i];
        if ((deleted_too || !version->deleted) && !version->entry->other_type &&
            is_resolved_form(store, subject, content, version))
            found = version;
    }
    return found;
}
