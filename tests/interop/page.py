#!/usr/bin/env python3
"""The registry's page in a real browser, by WebDriver.

    page.py REGISTRY SIGN_IN_REGISTRY PROFILE_DIR [SCREENSHOT_DIR]

REGISTRY is host:port of an empty one without authentication; SIGN_IN_REGISTRY asks for ann and secret,
who may read subjects that begin with "open". Needs chromium and chromedriver.
"""
import base64
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
HOSTILE = "<img src=x onerror=\"window.hit=1\">'\"&amp;/%2F?#é"
SCRIPT = "</script><script>window.hit=2</script><svg onload=window.hit=3>"


class Browser:
    def __init__(self, profile):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        try:
            started = next(found for found in (re.search(r"successfully on port (\d+)", line)
                                               for line in self.driver.stdout) if found)
            self.base = f"http://127.0.0.1:{started[1]}"
            answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:loggingPrefs": {"browser": "ALL"},
                "unhandledPromptBehavior": "dismiss",
                "goog:chromeOptions": {"args": FLAGS + [f"--user-data-dir={profile}"]}}}})
            self.base += f"/session/{answer['sessionId']}"
        except BaseException:
            self.driver.kill()
            raise

    def call(self, method, path, body=None):
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()[:400]}") from None

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(20)

    def go(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def size(self, width, height):
        self.call("POST", "/window/rect", {"width": width, "height": height})

    def keys(self, text):
        actions = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def cdp(self, command, **params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def console(self):
        return self.call("POST", "/se/log", {"type": "browser"})

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def until(self, script, *args):
        """Waits until the script gives something true."""
        end = time.monotonic() + 30
        while True:
            value = self.run(script, *args)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"never: {script}\nthe page: {self.run('return document.body.innerText')}\n"
                                     f"console: {self.console()}")
            time.sleep(0.02)

    def text(self, selector):
        return self.until("const e = document.querySelector(arguments[0]); return e && e.innerText", selector)


def register(registry, subject, schema, **more):
    body = json.dumps({"schema": schema if isinstance(schema, str) else json.dumps(schema), **more}).encode()
    url = f"http://{registry}/subjects/{urllib.parse.quote(subject, safe='')}/versions"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["id"]


def put(registry, path, body):
    request = urllib.request.Request(f"http://{registry}{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"}, method="PUT")
    urllib.request.urlopen(request, timeout=30).close()


def flight(*more):
    return {"type": "record", "name": "Flight", "namespace": "air", "doc": "One flight, as it was planned and flown.",
            "fields": [{"name": "carrier", "type": "string", "doc": SCRIPT},
                       {"name": "number", "type": "int", "default": 0},
                       {"name": "gates", "type": {"type": "array", "items": ["null", "string"]}},
                       *({"name": f"delay_{i}", "type": ["null", "double"], "default": None} for i in range(14)),
                       *more]}


def fill(registry):
    for i in range(30):
        register(registry, f"orders-{i:02}-value", '"string"')
    put(registry, "/config", {"compatibility": "NONE"})
    register(registry, "flights-value", flight())
    register(registry, "flights-value", flight({"name": "weather", "type": ["null", "string"], "default": None}))
    register(registry, "flights-value", flight({"name": "weather", "type": "string"}, {"name": "runway", "type": "int"}))
    put(registry, "/config/flights-value", {"compatibility": "BACKWARD"})
    put(registry, "/config", {"compatibility": "FULL"})
    register(registry, HOSTILE, {"type": "record", "name": "R", "doc": SCRIPT, "fields": []},
             metadata={"properties": {"<b>owner</b>": SCRIPT}})
    register(registry, "arrivals-value", {"type": "array", "items": "air.Flight"},
             references=[{"name": "air.Flight", "subject": "flights-value", "version": 1}])
    register(registry, ":.lab:trial-value", '"long"')


def quiet(browser):
    """Nothing hostile ran, nothing was refused by the policy, no script failed."""
    assert browser.run("return window.hit === undefined"), "a hostile text was run"
    bad = [entry["message"] for entry in browser.console() if "favicon" not in entry["message"]
           and not re.search(r"/(config|mode)/.* 404|/subjects/gone/|the server responded with a status of 40", entry["message"])]
    assert not bad, bad


def check_list(browser, registry):
    browser.go(f"http://{registry}/")
    names = browser.until("const l = [...document.querySelectorAll('#subjects a')].map(e => e.innerText.trim()); "
                          "return l.length > 30 && l")
    assert any(name.startswith("flights-value") for name in names), names
    assert any(name.startswith(HOSTILE) for name in names), names
    assert "34 subjects" in browser.text("#count")
    assert browser.text("#global").startswith("FULL"), browser.text("#global")
    browser.keys("/")
    browser.keys("flights")
    browser.until("return document.querySelectorAll('#subjects a').length === 1")
    assert "1 of 34" in browser.text("#count")
    browser.run("const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input'))")
    contexts = browser.run("return [...document.querySelectorAll('#context option')].map(e => e.value)")
    assert contexts == ["", ".", ".lab"], contexts
    browser.run("const c = document.getElementById('context'); c.value = '.lab'; c.dispatchEvent(new Event('change'))")
    browser.until("return document.querySelectorAll('#subjects a').length === 1")
    browser.run("const c = document.getElementById('context'); c.value = ''; c.dispatchEvent(new Event('change'))")
    quiet(browser)


def check_subject(browser):
    browser.run("document.activeElement.blur()")
    browser.keys("/")
    browser.keys("flights")
    browser.keys("\ue015")  # down: to the first subject
    assert browser.run("return document.activeElement.innerText").startswith("flights-value")
    browser.keys("\ue007")  # Enter
    assert browser.text("h1") == "flights-value"
    browser.until("return document.querySelector('.verdict')")
    verdict = browser.text(".verdict")
    assert verdict.startswith("Not compatible — version 3 after version 2, under BACKWARD"), verdict
    assert "'runway' at path '/fields/18' in the new schema has no default value" in verdict, verdict
    added = browser.run("return [...document.querySelectorAll('.add > span')].map(e => e.textContent.trim())")
    removed = browser.run("return [...document.querySelectorAll('.del > span')].map(e => e.textContent.trim())")
    assert removed == ['{"name": "weather", "type": ["null", "string"], "default": null}'], removed
    assert added == ['{"name": "weather", "type": "string"},', '{"name": "runway", "type": "int"}'], added
    hidden = browser.run("return document.querySelectorAll('.code .add, .code .del').length < document.querySelectorAll('.code > div').length && "
                         "document.querySelector('.code button').innerText")
    assert re.match(r"… \d+ unchanged lines", hidden), hidden
    before = browser.run("const n = document.querySelectorAll('.code > div').length; document.querySelector('.code button').click(); return n")
    browser.until("return document.querySelectorAll('.code > div').length > arguments[0]", before)
    # version 2 against 1, by the choices
    browser.run("const s = document.querySelector('.choice select'); s.value = '2'; s.dispatchEvent(new Event('change'))")
    browser.until("const v = document.querySelector('.verdict'); "
                  "return v && v.innerText.startsWith('Compatible — version 2 after version 1')")
    facts = browser.text(".facts")
    assert "BACKWARD" in facts and "inherited" not in facts and "READWRITE" in facts, facts
    # 3 against 1, by the address; the older one stays the old side when it is chosen the other way round
    for hash_ in ("version=3&against=1", "version=1&against=3"):
        browser.run("location.hash = '#subject=flights-value&' + arguments[0]", hash_)
        browser.until("const v = document.querySelector('.verdict'); "
                      "return v && v.innerText.includes('version 3 after version 1')")
    browser.until("return document.querySelector('main').innerText.includes('arrivals-value 1')")
    raw = browser.run("return [...document.querySelectorAll('main .links a')].find(a => a.innerText === 'version').href")
    quiet(browser)
    browser.go(raw)
    assert json.loads(browser.text("body"))["subject"] == "flights-value"


def check_hostile(browser, registry):
    browser.go(f"http://{registry}/#" + urllib.parse.urlencode({"subject": HOSTILE}))
    assert browser.text("h1") == HOSTILE
    body = browser.until("const t = document.querySelector('main').innerText; return t.includes('Metadata') && t")
    assert SCRIPT in body and "<b>owner</b>" in body, body
    assert browser.run("return document.querySelectorAll('main img, main script, main svg, main b b').length") == 0
    assert browser.run("return document.title").startswith(HOSTILE)
    inline = browser.run("const s = document.createElement('script'); s.textContent = 'window.inline = 1'; "
                         "document.body.append(s); return window.inline === undefined")
    assert inline, "the policy lets inline scripts run"
    browser.console()
    browser.go(f"http://{registry}/#subject=gone")
    assert "Subject 'gone' not found." in browser.text("main .notice")
    browser.go(f"http://{registry}/#" + urllib.parse.urlencode({"subject": ":.lab:trial-value"}))
    browser.until("return document.querySelector('.facts') && document.querySelector('.facts').innerText.includes('.lab')")
    quiet(browser)


def check_texts(browser):
    """The layout and the diff, which are pure, with what a page does not show."""
    result = browser.call("POST", "/execute/async", {"args": [], "script": """
        const done = arguments[0];
        import('/page/text.js').then(({ layout, diff }) => {
            const lines = [];
            const random = (n) => Array.from({ length: Math.random() * n }, () => "ab"[Math.random() * 2 | 0]);
            for (let i = 0; i < 500; i++) {
                const a = random(20), b = random(20);
                for (const most of [1500, 3]) {
                    const d = diff(a, b, most);
                    lines.push(d.filter((r) => r.sign !== "+").map((r) => r.text).join() === a.join() &&
                               d.filter((r) => r.sign !== "-").map((r) => r.text).join() === b.join());
                }
            }
            const deep = "[".repeat(5000) + "]".repeat(5000);
            done([lines.every(Boolean), layout('{"a":1.0,"b":12345678901234567890,"a":[]}'), layout('{"a"'), layout(deep).length,
                  diff(["x,", "y,", "z"], ["x,", "z,", "a"]).map((r) => r.sign + r.text).join(" ")]);
        }).catch((error) => done(String(error)));"""})
    assert result == [True, ['{"a": 1.0, "b": 12345678901234567890, "a": []}'], ['{"a"'], 1, " x, -y,  z, +a"], result


def check_sign_in(browser, registry):
    browser.go(f"http://{registry}/")
    assert "subjects" not in browser.run("return document.body ? document.body.innerText : ''"), "shown without a user"
    assert browser.run("return document.querySelector('#subjects') === null")
    browser.go(f"http://ann:wrong@{registry}/")
    assert browser.run("return document.querySelector('#subjects') === null"), "shown with a wrong password"
    browser.go(f"http://ann:secret@{registry}/")
    browser.until("return document.querySelectorAll('#subjects a').length === 1")
    browser.run("document.querySelector('#subjects a').click()")
    assert browser.text("h1") == "open-value"
    browser.until("return document.querySelector('.code')")
    browser.run("location.hash = '#subject=closed-value'")
    browser.until("const n = document.querySelector('main .notice'); return n && n.innerText.includes('Not allowed')")
    assert "User 'ann' is denied operation Read on Subject:closed-value" in browser.text("main .notice")
    browser.console()


def pictures(browser, registry, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for name, width, height in (("wide", 1280, 900), ("narrow", 420, 800)):
            browser.size(width, height)
            browser.go(f"http://{registry}/")
            browser.until("return document.querySelectorAll('#subjects a').length")
            browser.screenshot(folder / f"list-{name}-{scheme}.png")
            for version in (2, 3):
                browser.go(f"http://{registry}/#subject=flights-value&version={version}")
                browser.until("const v = document.querySelector('.verdict'); return v && v.innerText.includes(`version ${arguments[0]} after`)", version)
                assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth"), f"too wide: {name}"
                browser.screenshot(folder / f"subject-{version}-{name}-{scheme}.png")


def main():
    registry, closed, profile = sys.argv[1:4]
    fill(registry)
    browser = Browser(profile)
    try:
        check_list(browser, registry)
        check_subject(browser)
        check_hostile(browser, registry)
        check_texts(browser)
        check_sign_in(browser, closed)
        if len(sys.argv) > 4:
            pictures(browser, registry, pathlib.Path(sys.argv[4]))
    finally:
        browser.close()


if __name__ == "__main__":
    main()
