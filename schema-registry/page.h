/* Page: the files behind the page at "/", as they are in schema-registry/page; put into the program
 * at build time by embed.lua. */
#ifndef WEIR_SR_PAGE_H
#define WEIR_SR_PAGE_H

#include <stddef.h>

struct sr_page_file {
    const char *name;  /* "page.js" */
    const char *media; /* "text/javascript" */
    const char *type;  /* the same with its charset */
    const char *tag;   /* its entity tag, with quotes */
    const unsigned char *bytes;
    size_t len;
};

extern const struct sr_page_file sr_page_files[];
extern const size_t sr_page_file_count;

#endif
