#!/usr/bin/env python3
"""Shows HTML files in headless Chromium and says what is wrong with how they look.

    browser.py FOLDER FILE.html…            screenshots and PDFs go to FOLDER
    browser.py FOLDER --faulty FILE.html    the other way round: the file must have every fault that is looked for

Each file is shown wide and narrow, light and dark: no error on the console, no request but for the file itself, nothing
that scrolls sideways, no text that is too small or too faint. Then it is printed.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

WIDTHS = (1280, 400)
SCHEMES = ("light", "dark")
SMALLEST_TEXT_PX = 11
CONTRAST = 4.5
# Chromium can capture no taller page.
TALLEST_PX = 16000
FAULTS = {"console", "network", "sideways", "small", "contrast", "print"}
LOOK = (Path(__file__).parent / "browser.js").read_text()


def main():
    # So that the browser ends with us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder, faulty = Path(sys.argv[1]), "--faulty" in sys.argv
    files = [Path(argument).resolve() for argument in sys.argv[2:] if argument != "--faulty"]
    folder.mkdir(parents=True, exist_ok=True)
    found, texts, contrasts, checks = [], 0, 0, 0
    with Browser() as browser:
        for file in files:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    problems, look = show(browser, file.as_uri(), width, scheme, folder / file.stem)
                    found += [(kind, f"{file.name}, {width} px, {scheme}: {text}") for kind, text in problems]
                    texts += look["texts"]
                    contrasts += look["contrasts"]
                    checks += len(FAULTS) - 1
            found += [("print", f"{file.name}, printed: {text}") for text in print_out(browser, file, folder)]
            checks += 1
    if faulty:
        missed = sorted(FAULTS - {kind for kind, _ in found})
        if missed:
            sys.exit(f"faults that were not found: {', '.join(missed)}")
        print(f"{len(FAULTS)} checks: every fault of {files[0].name} is found")
        return
    for kind, text in dict.fromkeys(found):
        print(f"{kind}: {text}", file=sys.stderr)
    if found or not files or not texts:
        sys.exit(1)
    print(f"{checks} checks: {len(files)} pages, wide and narrow, light and dark; {texts} texts, {contrasts} contrasts; pictures in {folder}")


def show(browser, address, width, scheme, picture, is_own=None):
    """Shows a page and takes a picture of it. is_own says of an address whether the page may ask for it."""
    browser.logs()
    browser.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.resize(width, 900)
    browser.open(address)
    # What is out of the window cannot be asked what is behind it.
    height = browser.run("return document.documentElement.scrollHeight")
    browser.resize(width, min(height, TALLEST_PX))
    look = browser.run(LOOK, width, SMALLEST_TEXT_PX, CONTRAST)
    shot = browser.cdp("Page.captureScreenshot", format="png")["data"]
    picture.with_name(f"{picture.name}-{width}-{scheme}.png").write_bytes(base64.b64decode(shot))
    return look["problems"] + browser.logs(is_own or (lambda asked: asked.split("#")[0] == address)), look


def print_out(browser, file, folder):
    """Prints the file, and says what is wrong with the PDF."""
    browser.open(file.as_uri())
    data = base64.b64decode(browser.print())
    (folder / f"{file.stem}.pdf").write_bytes(data)
    pages = len(re.findall(rb"/Type\s*/Page\b", data))
    texts = 0
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            texts += len(re.findall(rb"\bT[jJ]\b", zlib.decompress(stream)))
        except zlib.error:
            pass
    if not data.startswith(b"%PDF-") or pages == 0 or texts == 0:
        yield f"{len(data)} bytes, {pages} pages, {texts} texts"


class Browser:
    """Chromium, driven through chromedriver."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="vemsync-browser."))
        # What Chromium leaves behind goes with the folder.
        environment = {**os.environ, "TMPDIR": str(self.folder)}
        driver = [program("chromedriver"), "--port=0"]
        self.driver = subprocess.Popen(driver, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            self.url = self.find_port()
            self.session = self.start()
            # Not the page for new tabs, which asks for much.
            self.ask("POST", f"/session/{self.session}/url", {"url": "about:blank"})
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        try:
            self.ask("DELETE", f"/session/{self.session}")
        finally:
            self.end()

    def end(self):
        self.driver.terminate()
        self.driver.wait()
        # Chromium may still be writing while it ends.
        shutil.rmtree(self.folder, ignore_errors=True)

    def find_port(self):
        for line in self.driver.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                return f"http://127.0.0.1:{found[1]}"
        raise RuntimeError("chromedriver did not start")

    def start(self):
        # Without a display, a sandbox (root has none) and what talks to the network by itself.
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        arguments += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
        options = {
            "binary": program("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
            "args": [*arguments, f"--user-data-dir={self.folder}/profile"],
        }
        wish = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        return self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wish}})["sessionId"]

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        # A proxy of the environment is not for this machine itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def cdp(self, command, **parameters):
        return self.ask("POST", f"/session/{self.session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def run(self, script, *arguments):
        return self.ask("POST", f"/session/{self.session}/execute/sync", {"script": script, "args": list(arguments)})

    def print(self):
        # On a busy machine Chromium now and then fails to print what it prints the next time.
        for tries in (1, 2, 3):
            try:
                return self.cdp("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
            except RuntimeError as error:
                if tries == 3 or "Printing failed" not in str(error):
                    raise

    def open(self, address):
        self.ask("POST", f"/session/{self.session}/url", {"url": address})

    def resize(self, width, height):
        # A narrow window is a telephone's, which shows a page that says nothing about its width as if it were wide.
        is_narrow = width < 600
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_narrow)

    def logs(self, is_own=lambda _: True):
        """What came since the last time: errors on the console, and requests for what is not the page's own."""
        problems = []
        for entry in self.ask("POST", f"/session/{self.session}/se/log", {"type": "browser"}):
            if entry["level"] == "SEVERE":
                problems.append(("console", entry["message"]))
        for entry in self.ask("POST", f"/session/{self.session}/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not is_own(url) and not url.startswith("data:"):
                    problems.append(("network", url))
        return problems


def program(*names):
    for name in names:
        if path := shutil.which(name):
            return os.path.realpath(path) if name == "chromedriver" else path
    sys.exit(f"{names[0]}: missing")


if __name__ == "__main__":
    main()
