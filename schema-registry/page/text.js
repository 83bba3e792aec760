// Text: a schema's JSON laid out in lines, and what differs between two such texts. Pure.
//
// The layout works on the text itself: JSON.parse would change numbers (1.0, integers past 2^53) and
// drop members that are there twice. A record's fields have a line each; of the rest what fits a line stays on one.

const WIDTH = 88;
const DEPTH = 600;

// Reads one value at `at`: [its parts, the position behind]. A part is a text, or a list
// [open, [parts of items], close].
function read(text, at, depth) {
    if (depth > DEPTH) throw new SyntaxError("nested too deep");
    at = skip(text, at);
    const open = text[at];
    if (open !== "{" && open !== "[") return scalar(text, at);
    const close = open === "{" ? "}" : "]";
    const items = [];
    at = skip(text, at + 1);
    while (text[at] !== close) {
        let key = "";
        let item;
        if (open === "{") {
            [key, at] = scalar(text, at);
            at = skip(text, at);
            if (text[at++] !== ":") throw new SyntaxError("no colon");
            key += ": ";
        }
        [item, at] = read(text, at, depth + 1);
        if (key === '"fields": ' && item.open === "[" && item.items.length) item.fields = true;
        items.push([key, item]);
        at = skip(text, at);
        if (text[at] === ",") at = skip(text, at + 1);
        else if (text[at] !== close) throw new SyntaxError("no end");
    }
    return [{ open, items, close, fields: items.some(([, item]) => item.fields) }, at + 1];
}

function skip(text, at) {
    while (at < text.length && " \t\r\n".includes(text[at])) at++;
    return at;
}

function scalar(text, at) {
    const found = /"(?:[^"\\]|\\[^])*"|[^\s,:\[\]{}"]+/y;
    found.lastIndex = at;
    const match = found.exec(text);
    if (!match) throw new SyntaxError("no value");
    return [match[0], found.lastIndex];
}

// The value on one line, or null when that is longer than `room` or has a record's fields in it.
function inline(value, room) {
    if (typeof value === "string") return value.length <= room ? value : null;
    if (value.fields) return null;
    let line = value.open;
    for (const [key, item] of value.items) {
        const text = inline(item, room - line.length - key.length);
        if (text === null) return null;
        line += (line.length > 1 ? ", " : "") + key + text;
        if (line.length > room) return null;
    }
    return line + value.close;
}

function put(value, indent, before, after, lines) {
    const line = inline(value, WIDTH - indent.length - before.length);
    if (line !== null || typeof value === "string" || value.items.length === 0) {
        lines.push(indent + before + (line ?? (typeof value === "string" ? value : value.open + value.close)) + after);
        return;
    }
    lines.push(indent + before + value.open);
    value.items.forEach(([key, item], i) =>
        put(item, indent + "  ", key, i + 1 < value.items.length ? "," : "", lines));
    lines.push(indent + value.close + after);
}

// Lines of a JSON text; of another text its own.
export function layout(text) {
    try {
        const [value, end] = read(text, 0, 0);
        if (skip(text, end) !== text.length) throw new SyntaxError("more behind it");
        const lines = [];
        put(value, "", "", "", lines);
        return lines;
    } catch {
        return text.split("\n");
    }
}

// A member that is no longer the last one has not changed.
const withoutComma = (line) => line.endsWith(",") ? line.slice(0, -1) : line;

// How one becomes the other: a list of {sign: " ", "-" or "+", text, a, b} with line numbers from 1. Myers'
// algorithm; past `most` changes what lies between the common beginning and end is given as replaced.
export function diff(before, after, most = 1500) {
    const a = before.map(withoutComma);
    const b = after.map(withoutComma);
    let head = 0;
    let tail = 0;
    while (head < a.length && head < b.length && a[head] === b[head]) head++;
    while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
    const out = [];
    const same = (i, j) => out.push({ sign: " ", text: after[j], a: i + 1, b: j + 1 });
    const gone = (i) => out.push({ sign: "-", text: before[i], a: i + 1 });
    const come = (j) => out.push({ sign: "+", text: after[j], b: j + 1 });
    for (let i = 0; i < head; i++) same(i, i);
    const steps = shortest(a.slice(head, a.length - tail), b.slice(head, b.length - tail), most);
    let i = head;
    let j = head;
    for (const step of steps) {
        if (step === " ") same(i++, j++);
        else if (step === "-") gone(i++);
        else come(j++);
    }
    for (let k = tail; k > 0; k--) same(a.length - k, b.length - k);
    return out;
}

// The steps of a shortest way from a to b, "-", "+" and " " for a line that stays.
function shortest(a, b, most) {
    const limit = Math.min(a.length + b.length, most);
    const zero = limit + 1; // furthest[zero + k]: the furthest x on the diagonal k = x - y
    const furthest = new Int32Array(2 * limit + 3);
    const trace = [];
    for (let d = 0; d <= limit; d++) {
        trace.push(furthest.slice(zero - d - 1, zero + d + 2));
        for (let k = -d; k <= d; k += 2) {
            const down = isDown(furthest, zero, k, d);
            let x = down ? furthest[zero + k + 1] : furthest[zero + k - 1] + 1;
            while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
            furthest[zero + k] = x;
            if (x >= a.length && x - k >= b.length) return walkBack(trace, a.length, b.length);
        }
    }
    return [..."-".repeat(a.length), ..."+".repeat(b.length)];
}

function isDown(furthest, zero, k, d) {
    return k === -d || (k !== d && furthest[zero + k - 1] < furthest[zero + k + 1]);
}

function walkBack(trace, x, y) {
    const steps = [];
    for (let d = trace.length - 1; d >= 0; d--) {
        const zero = d + 1;
        const k = x - y;
        const down = isDown(trace[d], zero, k, d);
        const fromX = d === 0 ? 0 : trace[d][zero + k + (down ? 1 : -1)];
        const fromY = d === 0 ? 0 : fromX - k - (down ? 1 : -1);
        while (x > fromX && y > fromY) {
            steps.push(" ");
            x--;
            y--;
        }
        if (d > 0) steps.push(down ? "+" : "-");
        x = fromX;
        y = fromY;
    }
    return steps.reverse();
}
