// Page: subjects on one side, one of them with its versions, verdict, changes and schema on the other.
// Where one is stands in the address behind '#': subject, version, against. Everything that comes from
// the registry goes into the page as text, never as markup.
import { diff, layout } from "./text.js";

const LISTED = 1000; // subjects shown at a time
const LINES = 4000; // of a schema
const CONTEXT = 3; // unchanged lines around a change

const main = document.getElementById("main");
const list = document.getElementById("subjects");
const filter = document.getElementById("filter");
const contextChoice = document.getElementById("context");
const count = document.getElementById("count");

let subjects = []; // {name, context, bare, latest, level}
let shown = 0; // which call of show() is the last

// ---- asking ----

class Refused extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

function url(path) {
    const from = new URL(path, document.baseURI);
    from.username = from.password = ""; // fetch takes no address with credentials
    return from;
}

async function ask(path, body) {
    const headers = { Accept: "application/vnd.schemaregistry.v1+json" };
    if (body) headers["Content-Type"] = headers.Accept;
    const answer = await fetch(url(path), { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    let json = null;
    try {
        json = JSON.parse(text);
    } catch {
        // an answer of something between, told by its status
    }
    if (answer.ok) return json;
    throw new Refused(answer.status, (json && json.message) || answer.statusText || `status ${answer.status}`);
}

// What may be missing or forbidden without harm to the rest.
const askOr = (path, fallback) => ask(path).catch(() => fallback);

const part = encodeURIComponent;
const versionPath = (subject, version) => `subjects/${part(subject)}/versions/${part(version)}`;

// ---- making elements ----

// make("a.tag", {href}, child, "text", …)
function make(kind, attributes, ...children) {
    const [name, ...classes] = kind.split(".");
    const element = document.createElement(name);
    element.classList.add(...classes);
    for (const [key, value] of Object.entries(attributes || {})) {
        if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
        else element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return element;
}

function place(subject, version, against) {
    const parts = new URLSearchParams({ subject });
    if (version) parts.set("version", version);
    if (against) parts.set("against", against);
    return `#${parts}`;
}

// ---- the list ----

// ":.ctx:name" in its parts; "." is the default context.
function split(name) {
    const found = /^:([^:]*):([^]*)$/.exec(name);
    return found ? { name, context: found[1], bare: found[2] } : { name, context: ".", bare: name };
}

async function load() {
    let answer = await askOr("subjects?details=true&subjectPrefix=:*:", null);
    if (!Array.isArray(answer)) answer = await ask("subjects?subjectPrefix=:*:");
    subjects = answer.map((item) => {
        if (typeof item === "string") return split(item);
        const level = item.compatibilityLevel ?? item.compatibility ?? item.level;
        return { ...split(item.subject ?? item.name), level, latest: item.version ?? item.latestVersion };
    });
    const contexts = [...new Set(subjects.map((subject) => subject.context))].sort();
    const before = contextChoice.value;
    contextChoice.replaceChildren(make("option", { value: "" }, "All contexts"),
        ...contexts.map((name) => make("option", { value: name }, name === "." ? "Default context" : name)));
    contextChoice.value = contexts.includes(before) ? before : "";
    contextChoice.hidden = contexts.length < 2;
    drawList();
}

function drawList() {
    const wanted = filter.value.trim().toLowerCase().split(/\s+/);
    const found = subjects.filter((subject) =>
        (!contextChoice.value || contextChoice.hidden || subject.context === contextChoice.value) &&
        wanted.every((word) => subject.name.toLowerCase().includes(word)));
    const rest = found.length - LISTED;
    count.textContent = (found.length === subjects.length ? `${found.length}` : `${found.length} of ${subjects.length}`) +
        (subjects.length === 1 ? " subject" : " subjects") + (rest > 0 ? `; the first ${LISTED} are listed` : "");
    list.replaceChildren(...found.slice(0, LISTED).map((subject) =>
        make("li", null, make("a", { href: place(subject.name), title: subject.level ? `${subject.name}: ${subject.level}` : subject.name },
            make("span", null, subject.context === "." || contextChoice.value ? null : make("span.tag", null, `${subject.context} `), subject.bare),
            make("span.tag", null, subject.latest ? `v${subject.latest}` : "")))));
    mark();
}

function mark() {
    const { subject } = chosen();
    for (const link of list.querySelectorAll("a")) {
        if (new URLSearchParams(link.hash.slice(1)).get("subject") === subject) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
}

// ---- lines of schemas ----

// Names, texts and words of a line in their colours.
function coloured(line) {
    const out = document.createDocumentFragment();
    const token = /"(?:[^"\\]|\\[^])*"(?=(:)?)|\b(?:true|false|null|-?\d[\d.eE+-]*)\b/g;
    let done = 0;
    for (let match; (match = token.exec(line));) {
        out.append(line.slice(done, match.index),
            make(match[1] ? "span.key" : match[0][0] === '"' ? "span.text" : "span.word", null, match[0]));
        done = token.lastIndex;
    }
    out.append(line.slice(done));
    return out;
}

function code(rows, label) {
    const cut = rows.length > LINES;
    return make("div.code", { role: "group", "aria-label": label, tabindex: "0" }, ...rows.slice(0, LINES),
        cut ? make("div", null, make("i"), `… ${rows.length - LINES} lines more; the raw answer has them`) : null);
}

const schemaRows = (lines) => lines.map((line, i) => make("div", null, make("i", null, `${i + 1}`), make("span", null, coloured(line))));

function diffRow(change) {
    const kind = { "+": "div.add", "-": "div.del", " ": "div" }[change.sign];
    return make(kind, null, make("i", null, `${change.a ?? ""}`), make("i", null, `${change.b ?? ""}`),
        make("i.sign", { "aria-label": { "+": "added", "-": "removed", " ": "" }[change.sign] }, change.sign),
        make("span", null, coloured(change.text)));
}

// Changes with a few lines around them; the lines between can be opened.
function diffRows(changes) {
    const near = new Uint8Array(changes.length);
    changes.forEach((change, i) => {
        if (change.sign !== " ") near.fill(1, Math.max(0, i - CONTEXT), i + CONTEXT + 1);
    });
    const rows = [];
    for (let i = 0; i < changes.length;) {
        let end = i;
        while (end < changes.length && near[end] === near[i]) end++;
        const run = changes.slice(i, end);
        if (near[i] || run.length <= 2) {
            rows.push(...run.map(diffRow));
        } else {
            const row = make("div", null, make("button", { type: "button", onclick: () => row.replaceWith(...run.map(diffRow)) },
                `… ${run.length} unchanged lines`));
            rows.push(row);
        }
        i = end;
    }
    return rows;
}

// ---- one subject ----

// {errorType:'…', description:'…', additionalInfo:'…'} as a sentence; null: it is none.
function reason(message) {
    const found = /^\{errorType:'([A-Z_]+)', description:'([^]*)', additionalInfo:'([^]*)'\}$/.exec(message);
    if (!found) return null;
    const [, , text, more] = found;
    return more && !text.includes(more) ? `${text} (${more})` : text;
}

function verdict(answer, level, newer, older) {
    const reasons = (answer.messages || []).map(reason).filter(Boolean);
    const others = (answer.messages || []).filter((message) => !reason(message));
    const fine = answer.is_compatible;
    const rule = level === "NONE" ? "nothing is compared under NONE" : `under ${level}`;
    return make(fine ? "div.verdict.good" : "div.verdict.bad", { role: "status" },
        make("p", null, make("strong", null, fine ? "Compatible" : "Not compatible"),
            ` — version ${newer} after version ${older}, ${rule}`),
        fine ? null : make("ul", null, ...(reasons.length ? reasons : others).map((text) => make("li", null, text))));
}

function notice(error, again) {
    const signIn = error.status === 401;
    const title = signIn ? "Not signed in" : error.status === 403 ? "Not allowed" : error.status === 404 ? "Not found" : "No answer";
    return make("div.notice.bad", { role: "alert" }, make("p", null, make("strong", null, title), ` — ${error.message}`),
        make("button", { type: "button", onclick: signIn ? () => location.reload() : again }, signIn ? "Sign in" : "Try again"));
}

const fact = (name, ...values) => make("span", null, `${name} `, ...values);
const links = (items) => make("ul.links", null, ...items.map((item) => make("li", null, item)));
const raw = (path, text) => make("a", { href: url(path) }, text);

function versionChoice(label, versions, latest, value, onchange, none) {
    const select = make("select", { onchange: () => onchange(select.value) }, none ? make("option", { value: "" }, none) : null,
        ...[...versions].reverse().map((v) => make("option", { value: v }, `${v}${v === latest ? " (latest)" : ""}`)));
    select.value = value ?? "";
    return make("label", null, label, select);
}

async function referrers(subject, version) {
    const ids = await askOr(`${versionPath(subject, version)}/referencedby`, []);
    const { context } = split(subject);
    const users = await Promise.all(ids.slice(0, 50).map((id) =>
        askOr(`schemas/ids/${id}/versions${context === "." ? "" : `?subject=${part(`:${context}:`)}`}`, [])));
    return { ids, users: users.flat() };
}

async function details(subject, wanted, against) {
    const path = `subjects/${part(subject)}`;
    const versions = await ask(`${path}/versions`);
    const latest = versions.at(-1);
    const version = versions.includes(Number(wanted)) ? Number(wanted) : latest;
    const before = versions[versions.indexOf(version) - 1];
    const other = against === "none" ? null : versions.includes(Number(against)) && Number(against) !== version ? Number(against) : before;
    const [one, two, config, own, mode, used] = await Promise.all([
        ask(versionPath(subject, version)),
        other ? ask(versionPath(subject, other)) : null,
        askOr(`config/${part(subject)}?defaultToGlobal=true`, {}),
        askOr(`config/${part(subject)}`, null),
        askOr(`mode/${part(subject)}?defaultToGlobal=true`, {}),
        referrers(subject, version)]);
    const [newer, older] = other && other > version ? [two, one] : [one, two];
    const answer = older && await ask(`compatibility/subjects/${part(subject)}/versions/${older.version}?verbose=true`, {
        schema: newer.schema, schemaType: newer.schemaType, references: newer.references, metadata: newer.metadata,
    }).catch((error) => error);
    return { subject, versions, version, other, one, newer, older, answer, config, own, mode, used };
}

function changes(found) {
    const { newer, older, answer, config } = found;
    if (!older) return [];
    const rows = diff(layout(older.schema), layout(newer.schema));
    const edits = rows.filter((row) => row.sign !== " ").length;
    return [
        answer instanceof Error ? notice(answer, show) : verdict(answer, config.compatibilityLevel || "the level", newer.version, older.version),
        make("h2", null, `From version ${older.version} to ${newer.version}`),
        edits ? code(diffRows(rows), `Changes from version ${older.version} to ${newer.version}`) : make("p.soft", null, "The schemas are the same."),
    ];
}

function draw(found) {
    const { subject, versions, version, other, one, config, own, mode, used } = found;
    const { context, bare } = split(subject);
    const latest = versions.at(-1);
    const go = (v, against) => { location.hash = place(subject, v, against); };
    const extra = Object.entries({ Metadata: one.metadata, "Rule set": one.ruleSet }).filter(([, value]) => value);
    const inherited = !own || !own.compatibilityLevel;
    main.replaceChildren(...[
        make("a.back", { href: "#" }, "All subjects"),
        make("h1", null, bare),
        make("p.facts", null,
            context === "." ? null : fact("Context", make("b", null, context)),
            fact("Compatibility", make("b", null, config.compatibilityLevel || "unknown"), inherited ? " (inherited)" : ""),
            fact("Mode", make("b", null, mode.mode || "unknown")),
            fact("Type", make("b", null, one.schemaType || "AVRO")),
            fact("Id", make("b", null, `${one.id}`)),
            one.ts ? fact("Registered", make("b", null, new Date(one.ts).toLocaleString())) : null),
        make("div.choice", null,
            versionChoice("Version", versions, latest, version, (v) => go(v)),
            versions.length > 1 ? versionChoice("compared with", versions.filter((v) => v !== version), latest, other, (v) => go(version, v || "none"), "nothing") : null),
        ...changes(found),
        make("h2", null, `Schema of version ${version}`),
        code(schemaRows(layout(one.schema)), `Schema of version ${version}`),
        ...extra.flatMap(([name, value]) => [make("h2", null, name), code(schemaRows(layout(JSON.stringify(value))), name)]),
        ...(one.references || []).length ? [make("h2", null, "Refers to"),
            links(one.references.map((ref) => make("a", { href: place(ref.subject, ref.version) }, `${ref.name} (${ref.subject} ${ref.version})`)))] : [],
        ...used.ids.length ? [make("h2", null, "Referred to by"),
            links(used.users.length ? used.users.map((user) => make("a", { href: place(user.subject, user.version) }, `${user.subject} ${user.version}`))
                : used.ids.map((id) => `schema ${id}`))] : [],
        make("h2", null, "Raw"),
        links([raw(versionPath(subject, version), "version"), raw(`${versionPath(subject, version)}/schema`, "schema"),
            raw(`subjects/${part(subject)}/versions`, "versions"), raw(`config/${part(subject)}?defaultToGlobal=true`, "level"),
            raw(`schemas/ids/${one.id}/versions${context === "." ? "" : `?subject=${part(`:${context}:`)}`}`, "who uses the id")]),
    ].filter(Boolean));
}

// ---- the whole ----

function chosen() {
    const parts = new URLSearchParams(location.hash.slice(1));
    return { subject: parts.get("subject"), version: parts.get("version"), against: parts.get("against") };
}

async function show() {
    const { subject, version, against } = chosen();
    const call = ++shown;
    const focused = main.querySelector("select:focus") ? [...main.querySelectorAll("select")].indexOf(document.activeElement) : -1;
    document.body.classList.toggle("chosen", Boolean(subject));
    document.title = subject ? `${subject} – Schema registry` : "Schema registry";
    mark();
    if (!subject) {
        main.replaceChildren(make("p.soft", null, subjects.length ? "Choose a subject." : "No subject is registered yet."));
        return;
    }
    try {
        const found = await details(subject, version, against);
        if (call === shown) draw(found);
    } catch (error) {
        if (call === shown) main.replaceChildren(make("a.back", { href: "#" }, "All subjects"), make("h1", null, subject), notice(error, show));
    }
    if (call === shown && focused >= 0) main.querySelectorAll("select")[focused]?.focus();
}

async function start() {
    try {
        await load();
    } catch (error) {
        count.textContent = "";
        document.body.classList.add("chosen");
        main.replaceChildren(notice(error, start));
        return;
    }
    show();
    const [config, mode] = await Promise.all([askOr("config", null), askOr("mode", null)]);
    document.getElementById("global").textContent = [config && config.compatibilityLevel, mode && mode.mode].filter(Boolean).join(", ");
}

// Up and down go through the list, '/' to the filter.
document.addEventListener("keydown", (event) => {
    const here = document.activeElement;
    const typing = here && (here.tagName === "INPUT" || here.tagName === "SELECT");
    if (event.key === "/" && !typing) {
        event.preventDefault();
        document.body.classList.remove("chosen");
        filter.focus();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (here === filter || list.contains(here))) {
        const all = [...list.querySelectorAll("a")];
        const next = all.indexOf(here) + (event.key === "ArrowDown" ? 1 : -1);
        event.preventDefault();
        (next < 0 ? filter : all[Math.min(next, all.length - 1)])?.focus();
    } else if (event.key === "Enter" && here === filter) {
        list.querySelector("a")?.click();
    }
});
filter.addEventListener("input", drawList);
contextChoice.addEventListener("change", drawList);
window.addEventListener("hashchange", () => {
    show().then(() => { if (document.activeElement === document.body) main.focus({ preventScroll: true }); });
});
start();
