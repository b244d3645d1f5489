#!/usr/bin/env python3
"""Follows every link of the daemon's pages, and looks at one page of each sort in headless Chromium.

    pages.py URL FOLDER PAGES    pictures go to FOLDER, the pages as HTML files to PAGES

Every link has to lead somewhere. The pages that are looked at must not put an error on the console, ask for anything
elsewhere, scroll sideways, or have text that is too small or too faint; all in them must be reached with the keyboard,
in its order and with a mark that is seen; their headings and tables must have what a screen reader goes by.
"""

import html
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from browser import SCHEMES, WIDTHS, Browser, show

# Links of one sort that are followed.
MOST = 60
SORTS = {
    "/": "state",
    "/last-24-hours": "last-24-hours",
    "/jobs": "job",
    "/machines": "machine",
    "/sessions": "session",
    "/rejects": "rejects",
    "/search": "search",
    "/nothing": "not-found",
}
STARTS = ["/", "/last-24-hours", "/rejects", "/search", "/search?q=o", "/nothing"]

MARKS = """
const problems = [];
const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((heading) => Number(heading.localName[1]));
if (levels.filter((level) => level === 1).length !== 1 || levels[0] !== 1) problems.push("it has not one h1 in front of all");
levels.forEach((level, at) => at && level > levels[at - 1] + 1 && problems.push(`h${level} follows upon h${levels[at - 1]}`));
for (const head of document.querySelectorAll("th:not([scope])")) problems.push(`a head without a scope: ${head.textContent}`);
for (const field of document.querySelectorAll("input:not([type=hidden])")) if (!field.labels.length) problems.push(`a field without a label: ${field.name}`);
if (!document.documentElement.lang || document.querySelectorAll("main").length !== 1) problems.push("it has no language, or not one main");
return problems;
"""

# What the keyboard has to reach, and what has the focus: its place in that list, and whether it is marked.
FOCUS = """
const all = [...document.querySelectorAll("a[href], input:not([type=hidden]), button, summary, [tabindex='0']")].filter((one) => one.checkVisibility());
const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
return { count: all.length, at: all.indexOf(one), name: one.textContent.trim().slice(0, 30), seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.bottom > 0 && box.width > 0 };
"""


def main():
    base, folder, pages = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    for one in (folder, pages):
        one.mkdir(parents=True, exist_ok=True)
    problems, shown = crawl(base, pages)
    followed = len(list(pages.iterdir()))
    checks = followed
    with Browser() as browser:
        for name, path in shown.items():
            for width in WIDTHS:
                for scheme in SCHEMES:
                    found, _ = show(browser, base + path, width, scheme, folder / f"page-{name}", lambda asked: asked.startswith(base))
                    # That it is not there is said on the console, too.
                    found = [one for one in found if name != "not-found" or "404" not in one[1]]
                    problems += [f"{path}, {width} px, {scheme}: {kind}: {text}" for kind, text in found]
                    checks += 5
            problems += [f"{path}: {text}" for text in browser.run(MARKS)]
            problems += [f"{path}: {text}" for text in keyboard(browser, base + path)]
            checks += 2
    for problem in dict.fromkeys(problems):
        print(problem, file=sys.stderr)
    missed = set(SORTS.values()) - set(shown)
    if missed:
        print(f"no page of these sorts was found: {', '.join(sorted(missed))}", file=sys.stderr)
    if problems or missed:
        sys.exit(1)
    print(f"{checks} checks: {followed} pages, {len(shown)} of them wide and narrow, light and dark, and by keyboard; pictures in {folder}")


def crawl(base, pages):
    """Follows the links; returns what is wrong, and one address of each sort."""
    problems, shown, counts = [], {}, {}
    found, queue = set(STARTS), list(STARTS)
    while queue:
        path = queue.pop(0)
        sort = SORTS.get("/" + urlsplit(path).path.split("/")[1])
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(base + path, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        if status != (404 if path == "/nothing" else 200):
            problems.append(f"{path}: {status}")
            continue
        if path.startswith("/style.css"):
            continue
        (pages / f"{len(list(pages.iterdir())):04}-{sort}.html").write_text(text)
        if sort == "search" and "q=" not in path:
            continue
        shown.setdefault(sort, path)
        for href in re.findall(r'href="([^"]*)"', text):
            href = html.unescape(href)
            if not href.startswith("/"):
                continue
            if href not in found and counts.get(sort_of(href), 0) < MOST:
                found.add(href)
                counts[sort_of(href)] = counts.get(sort_of(href), 0) + 1
                queue.append(urlsplit(urljoin(base, href))._replace(scheme="", netloc="", fragment="").geturl())
    return problems, shown


def sort_of(path):
    return urlsplit(path).path.split("/")[1]


def keyboard(browser, address):
    """Goes through the page with the tabulator key, and says what is not reached, out of order or not seen."""
    browser.resize(1280, 900)
    browser.open(address)
    count = browser.run(FOCUS)["count"]
    for place in range(min(count, 60)):
        for kind in ("keyDown", "keyUp"):
            browser.cdp("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        focus = browser.run(FOCUS)
        if focus["at"] != place:
            yield f"the tabulator key comes to {focus['name']!r} (number {focus['at']}) where number {place} is due"
            return
        if not focus["seen"]:
            yield f"the focus on {focus['name']!r} is not seen"
        if place == 0 and "Skip" not in focus["name"]:
            yield "the first thing that the tabulator key comes to does not skip the head"


main()
