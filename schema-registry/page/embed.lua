-- Writes the files of the page as C: lua embed.lua OUT.c FILE… ; the tag of each is a hash of its bytes,
-- so that a browser that has it is told so.

local types = {
    html = "text/html; charset=utf-8",
    css = "text/css; charset=utf-8",
    js = "text/javascript; charset=utf-8",
    svg = "image/svg+xml",
}

-- FNV-1a, 64 bits.
local function hash(bytes)
    local h = 0xcbf29ce484222325
    for i = 1, #bytes do
        h = (h ~ bytes:byte(i)) * 0x100000001b3
    end
    return string.format("%016x", h)
end

local out = { '/* printed by schema-registry/page/embed.lua */\n#include "schema-registry/page.h"\n' }
local rows = {}
for i = 2, #arg do
    local file = assert(io.open(arg[i], "rb"))
    local bytes = file:read("a")
    local name = arg[i]:match("[^/]+$")
    local type = types[name:match("[^.]+$")] or error("embed.lua: no media type for " .. name)
    file:close()
    local line = {}
    for at = 1, #bytes do
        line[#line + 1] = (at % 20 == 1 and "\n    " or "") .. bytes:byte(at) .. ","
    end
    out[#out + 1] = string.format("\nstatic const unsigned char file_%d[] = {%s\n};\n", i, table.concat(line))
    rows[#rows + 1] = string.format('    {"%s", "%s", "%s", "\\"%s\\"", file_%d, sizeof file_%d},\n', name,
        type:match("[^;]+"), type, hash(bytes), i, i)
end
out[#out + 1] = "\nconst struct sr_page_file sr_page_files[] = {\n" .. table.concat(rows) .. "};\n"
out[#out + 1] = "const size_t sr_page_file_count = sizeof sr_page_files / sizeof *sr_page_files;\n"
local file = assert(io.open(arg[1], "wb"))
file:write(table.concat(out))
file:close()
