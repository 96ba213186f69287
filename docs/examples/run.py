#!/usr/bin/env python3
"""Runs the `console` blocks of pages against a running service, and fails where a reply is not what the page says.

What stands after `$ ` is run by bash, in the order of the page; what stands below has to come out. White space between
tokens does not matter, `…` stands for anything, and numbers are compared to the digits that the page shows. Of the head of a
reply (`curl -i`) only the lines shown matter.

    run.py --url http://localhost:9000                           every page that is run
    run.py --url http://localhost:9000 PAGE.md PAGE.md#section   some of them
    run.py --binary target/debug/rapier-physics-service          starts and stops a service by itself
"""

import argparse
import glob
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Of the README, what needs one service alone. Of the other pages, those that need more than a service.
SECTIONS = ["README.md#five-minutes-with-curl", "README.md#what-you-can-build"]
ELSEWHERE = ["docs/monitoring.md", "docs/operations.md", "docs/redis-fly.md"]
ADDRESS = "localhost:9000"
END = "\x1e"
PRELUDE = "curl() { command curl -q --silent --show-error --noproxy '*' --max-time 60 \"$@\"; }; exec 2>&1\n"
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|…|[][{}:,]|[^][{}:,"…\s]+|"')
NUMBER = re.compile(r"-?\d+(?:\.(\d+))?(?:[eE]([+-]?\d+))?")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    service = options.add_mutually_exclusive_group(required=True)
    service.add_argument("--url", help="a service that runs")
    service.add_argument("--binary", help="a service to start")
    options.add_argument("pages", nargs="*")
    given = options.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")

    process = None
    url = given.url
    if given.binary:
        process, url = start(given.binary)
    try:
        faults = sum(run(page, url) for page in given.pages or pages())
    finally:
        if process:
            process.terminate()
            process.wait()
    sys.exit(1 if faults else 0)


def start(binary):
    """Starts the service on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"HOST": "127.0.0.1", "PORT": str(port), "METRICS_PORT": "0", "STORAGE_BACKEND": "memory"}
    process = subprocess.Popen([binary], env={"PATH": os.environ["PATH"], "RUST_LOG": "error", **settings})
    url = f"http://127.0.0.1:{port}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        try:
            opener.open(f"{url}/ready").close()
            return process, url
        except urllib.error.URLError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    process.kill()
    sys.exit(f"{binary} does not answer")


def pages():
    """Every page that has something to run."""
    found = sorted(glob.glob("docs/*.md", root_dir=ROOT)) + sorted(glob.glob("docs/examples/*.md", root_dir=ROOT))
    return SECTIONS + [page for page in found if page not in ELSEWHERE and read(page)]


def run(page, url):
    """Runs a page, or a section of it; answers how many of its commands were answered otherwise."""
    steps = read(page)
    address = url.removeprefix("http://").rstrip("/")
    script = PRELUDE + "".join(f"{command}\nprintf '{END}'\n" for command, _ in steps)
    script = script.replace(ADDRESS, address)
    command = ["bash", "-c", script]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT, timeout=300, check=False)
    outputs = done.stdout.decode(errors="replace").split(END)
    faults = 0
    for (command, expected), output in zip(steps, outputs):
        fault = compare(expected, output)
        if fault:
            faults += 1
            print(f"{page}: $ {command}\n  {fault}\n  the page says:\n{expected}\n  it answered:\n{output}\n")
    if len(outputs) != len(steps) + 1:
        faults += 1
        print(f"{page}: it ended after {len(outputs)} of {len(steps)} commands")
    if not steps:
        faults += 1
        print(f"{page}: there is nothing to run")
    print(f"{page}: {len(steps)} commands, {faults} not answered as the page says")
    return faults


def read(page):
    """The commands of a page, each with what has to come out."""
    path, _, section = page.partition("#")
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        lines = file.read().split("\n")
    steps, fence, depth, is_wanted = [], None, None, not section
    for line in lines:
        heading = re.match(r"(#+) (.*)", line) if fence is None else None
        if heading and section:
            level = len(heading[1])
            if slug(heading[2]) == section:
                is_wanted, depth = True, level
            elif is_wanted and level <= depth:
                is_wanted = False
        if line.startswith("```"):
            fence = None if fence is not None else line[3:].strip()
        elif fence == "console" and is_wanted:
            add(steps, line)
    return steps


def slug(title):
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def add(steps, line):
    """Adds a line of a block to the command that is not complete yet, to its output, or as a new command."""
    if steps and not is_complete(steps[-1][0]):
        steps[-1] = (steps[-1][0] + "\n" + line, "")
    elif line.startswith("$ "):
        steps.append((line[2:], ""))
    elif steps:
        command, expected = steps[-1]
        steps[-1] = (command, expected + line + "\n")


def is_complete(command):
    try:
        shlex.split(command)
    except ValueError:
        return False
    return not command.endswith("\\")


def compare(expected, output):
    """What is different, if anything is."""
    if output.startswith("HTTP/"):
        head, _, output = output.replace("\r\n", "\n").partition("\n\n")
        lines = expected.split("\n")
        begin = next((i for i, line in enumerate(lines) if line[:1] in ("{", "[")), len(lines))
        said = {line.lower() for line in head.split("\n")}
        for line in lines[:begin]:
            if line.strip() not in ("", "…") and line.lower() not in said:
                return f"no such line in the head: {line}\n{head}"
        expected = "\n".join(lines[begin:])
    return match(TOKEN.findall(expected), TOKEN.findall(output))


def match(pattern, tokens):
    """Compares, with `…` for any number of tokens: each takes as few as will do."""
    at = i = farthest = 0
    retry = None
    while i < len(tokens):
        if at < len(pattern) and pattern[at] == "…":
            retry = (at, i)
            at += 1
        elif at < len(pattern) and is_same(pattern[at], tokens[i]):
            at += 1
            i += 1
            farthest = max(farthest, at)
        elif retry:
            retry = (retry[0], retry[1] + 1)
            at, i = retry[0] + 1, retry[1]
        else:
            break
    while at < len(pattern) and pattern[at] == "…":
        at += 1
    if at == len(pattern) and i == len(tokens):
        return None
    return "differs after: " + " ".join(pattern[max(0, farthest - 12) : farthest])


def is_same(shown, token):
    number = NUMBER.fullmatch(shown)
    if number and NUMBER.fullmatch(token):
        if number[1] is None and number[2] is None:
            return float(shown) == float(token)
        digits = len(number[1] or "") - int(number[2] or 0)
        return abs(float(shown) - float(token)) <= 0.5001 * 10.0**-digits
    if "…" in shown:
        return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), token) is not None
    return shown == token


if __name__ == "__main__":
    main()
