#!/usr/bin/env python3
"""Runs every query of the Grafana dashboards against a database, as Grafana would.

    grafana.py FOLDER DATABASE_URL [--times]

Each panel and each variable must answer with rows: for All, for one value of each variable, and for two. None may have
to read a table of sessions from end to end. The role in the URL decides what may be read. With --times every query's
milliseconds are printed, the slowest first.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

NOW = datetime.now(timezone.utc)


def main():
    folder, url = Path(sys.argv[1]), sys.argv[2]
    files = sorted(folder.glob("*.json"))
    dashboards = {file: json.loads(file.read_text()) for file in files}
    problems = [f"{file.name}: {problem}" for file in files for problem in form(file, dashboards)]
    runs = Runs(url)
    for file, dashboard in dashboards.items():
        problems += [f"{file.name}: {problem}" for problem in answers(dashboard, runs)]
    if "--times" in sys.argv:
        for milliseconds, name in sorted(runs.times, reverse=True):
            print(f"{milliseconds:8.0f} ms  {name}")
    for problem in problems:
        print(problem, file=sys.stderr)
    panels = sum(len(dashboard["panels"]) for dashboard in dashboards.values())
    if problems or not panels:
        sys.exit(f"{len(problems)} problems")
    print(f"{len(runs.times)} checks: {len(files)} dashboards, {panels} panels")


def form(file, dashboards):
    """What must hold of a dashboard without asking the database."""
    dashboard = dashboards[file]
    if file.read_text() != json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n":
        yield "is not written with two spaces of indentation"
    if dashboard["uid"] != f"vemsync-{file.stem}":
        yield f"its uid is {dashboard['uid']}"
    numbers = [panel["id"] for panel in dashboard["panels"]]
    if len(set(numbers)) != len(numbers):
        yield "two panels have the same id"
    strings = [value for value in parts(dashboard) if isinstance(value, str)]
    for variable in dashboard["templating"]["list"]:
        if not any("${" + variable["name"] in string for string in strings):
            yield f"the variable {variable['name']} is not used"
    for part in parts(dashboard):
        if isinstance(part, dict) and part.get("datasource", {}).get("uid", "${datasource}") != "${datasource}":
            yield f"a data source of its own: {part['datasource']}"
    known = {other["uid"]: other for other in dashboards.values()}
    for string in strings:
        if re.match(r"#[0-9a-fA-F]{3,8}$|rgba?\(|hsla?\(", string):
            yield f"a colour that does not follow the theme: {string}"
        if not string.startswith("/d/"):
            continue
        uid, query = re.fullmatch(r"/d/([^/?]+)\?(.*)", string).groups()
        if uid not in known:
            yield f"a link to {uid}, which is no dashboard here"
            continue
        names = {variable["name"] for variable in known[uid]["templating"]["list"]}
        for name in re.findall(r"var-(\w+)=", query) + re.findall(r"\$\{(\w+):queryparam\}", query):
            if name not in names:
                yield f"a link to {uid} sets {name}, which it does not have"
    tags = {tag for other in dashboards.values() if other is not dashboard for tag in other["tags"]}
    for link in dashboard["links"]:
        if not tags.issuperset(link["tags"]):
            yield f"its link to the dashboards of {link['tags']} finds none"


def parts(value):
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    for part in inner:
        yield from parts(part)


def answers(dashboard, runs):
    """What the database says to the queries of a dashboard."""
    span = span_of(dashboard["time"])
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    everything = {name: all_of(variable) for name, variable in variables.items()}
    choices = {}
    for name, variable in variables.items():
        if variable["type"] == "query":
            rows, problem = runs.rows(f"{dashboard['uid']}: variable {name}", variable["query"], everything, span)
            if problem:
                yield f"variable {name}: {problem}"
            # Those first that are hardest to quote.
            choices[name] = sorted((row[0] for row in rows), key=lambda value: ("'" not in value, value))
        elif variable["type"] == "textbox":
            choices[name] = ["a"]
    for panel in dashboard["panels"]:
        title = panel["title"]
        for target in panel["targets"]:
            query = target["rawSql"]
            for problem in panel_answers(f"{dashboard['uid']}: {title}", query, everything, choices, span, runs):
                yield f"{title}: {problem}"


def panel_answers(name, query, everything, choices, span, runs):
    rows, problem = runs.rows(name, query, everything, span)
    if problem or not has_values(rows):
        yield problem or "no rows"
        return
    for table in runs.read_whole(query, everything, span):
        yield f"reads all of {table}: its condition reaches no index"
    for variable, values in choices.items():
        if "${" + variable not in query:
            continue
        for number in (1, 2):
            selections = [values[at : at + number] for at in range(len(values))]
            for selection in selections:
                rows, problem = runs.rows(f"{name} ({variable})", query, {**everything, variable: selection}, span)
                if problem:
                    yield f"with {variable} {selection}: {problem}"
                    return
                if has_values(rows):
                    break
            else:
                yield f"no rows for any {variable}"
        hostile = {**everything, variable: ["';\\ \"%--"]}
        if runs.rows(name, query, hostile, span)[1]:
            yield f"a quote in {variable} breaks it"


def has_values(rows):
    return any(value != "" for row in rows for value in row)


class Runs:
    def __init__(self, url):
        self.url = url
        self.times = []

    def rows(self, name, query, values, span):
        """The rows as Grafana would see them, and what is wrong."""
        try:
            text = filled(query, values, span)
        except ValueError as problem:
            return [], str(problem)
        begun = time.monotonic()
        done = self.psql(text, "--csv")
        self.times.append(((time.monotonic() - begun) * 1000, name))
        if done.returncode:
            return [], done.stderr.strip().splitlines()[0]
        return list(csv.reader(io.StringIO(done.stdout)))[1:], None

    def read_whole(self, query, values, span):
        """The tables of sessions that would be read from end to end, even though that is made unattractive.

        Cloud failovers are so few that it does not matter."""
        done = self.psql("explain (format json) " + filled(query, values, span), "--tuples-only", "--no-align", settings="-c enable_seqscan=off")
        nodes = [part for part in parts(json.loads(done.stdout)) if isinstance(part, dict)]
        tables = {node["Relation Name"] for node in nodes if node.get("Node Type") == "Seq Scan"}
        return sorted(table for table in tables if table.endswith("_sessions") and not table.startswith("cloud_failover_"))

    def psql(self, text, *form, settings=""):
        return subprocess.run(
            ["psql", "-X", "-q", *form, "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", text],
            env={**os.environ, "PGOPTIONS": f"-c statement_timeout=60s -c timezone=UTC {settings}"},
            capture_output=True,
            encoding="utf-8",
        )


def filled(query, values, span):
    since, until = (f"'{moment:%Y-%m-%dT%H:%M:%SZ}'" for moment in span)
    text = re.sub(r"\$__timeFilter\((.*?)\)", rf"\1 BETWEEN {since} AND {until}", query)
    text = text.replace("$__timeFrom()", since).replace("$__timeTo()", until)
    text = re.sub(r"\$\{(\w+):sqlstring\}", lambda found: sqlstring(values[found[1]]), text)
    if rest := re.search(r"\$\{.*?\}|\$\w+|\[\[.*?\]\]", text):
        raise ValueError(f"{rest[0]} is not filled in")
    return text


def sqlstring(value):
    # A value for All is put in as it is.
    if isinstance(value, str):
        return value
    return ",".join("'" + one.replace("'", "''") + "'" for one in value)


def all_of(variable):
    return variable["allValue"] if variable.get("includeAll") else [""]


def span_of(range_):
    number, unit = re.fullmatch(r"now-(\d+)([hd])", range_["from"]).groups()
    return NOW - timedelta(**{"h": {"hours": int(number)}, "d": {"days": int(number)}}[unit]), NOW


main()
