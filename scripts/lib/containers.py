#!/usr/bin/env python3
"""Holds docker-compose.yml, Dockerfile and .env.sample against the program and against each other.

    containers.py PROGRAM

Nothing is started. Whatever is looked for is first put in on purpose, so that no fault found means something.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

# What stands in docker-compose.yml or Dockerfile, what to put there, and what must be said about it then.
FAULTS = [
    ("      VEMSYNC_PUBLIC: \"true\"\n", "", "no VEMSYNC_PUBLIC"),
    ("VEMSYNC_INTERVAL: ${", "VEMSYNC_INTERVALL: ${", "VEMSYNC_INTERVALL is unknown"),
    ("VEMSYNC_GRAFANA_USER:", "VEMSYNC_GRAFANA_NAME:", "VEMSYNC_GRAFANA_NAME is unknown"),
    ("${GRAFANA_PORT:-3000}", "${GRAFANA_DOOR:-3000}", "GRAFANA_DOOR is not in .env.sample"),
    ('"127.0.0.1:9399:9399"', '"9399:9399"', "is open to other machines"),
    ('"127.0.0.1:9399:9399"', '"127.0.0.1:9399:9398"', "nothing listens on 9398"),
    ("POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password", "POSTGRES_PASSWORD: hunter2", "POSTGRES_PASSWORD is no file"),
    ("postgres://vemsync@postgres", "postgres://vemsync:hunter2@postgres", "a password in a URL"),
    ("--password-file=/run/secrets/em_password", "--password=x", "unexpected argument '--password'"),
    ("secrets: [postgres_password, em_password]", "secrets: [postgres_password]", "em_password is not given to vemsync"),
    ("./deploy/grafana/role.sql", "./deploy/role.sql", "deploy/role.sql is not there"),
    ("file: ./secrets/em_password", "file: ./em_password", "em_password lies outside"),
    ("    profiles: [demo]\n", "", "simulator has no profile"),
    ("grant: { condition", "grants: { condition", "waits for grants"),
    ("[migrate]\n", "[migrat]\n", "migrat"),
    ("postgres:16", "postgres", "postgres names no version"),
    ("USER 65532:65532\n", "USER root\n", "runs as root"),
    ('CMD ["/usr/bin/vemsync", "health"]', "CMD vemsync health", "needs a shell"),
    ("EXPOSE 9399", "EXPOSE 9398", "EXPOSE"),
]


def main():
    program = sys.argv[1]
    files = {name: Path(name).read_text() for name in ["docker-compose.yml", "Dockerfile", ".env.sample"]}
    for old, new, said in FAULTS:
        faulty = {name: text.replace(old, new) for name, text in files.items()}
        if faulty == files:
            sys.exit(f"there is no {old!r} to put a fault in its place")
        found = [problem for problem, is_so in checks(program, faulty) if is_so]
        if not any(said in problem for problem in found):
            sys.exit(f"{new!r} in the place of {old!r} is not found: {found}")
    results = list(checks(program, files))
    problems = [problem for problem, is_so in results if is_so]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(results)} checks: services, settings, ports, files and secrets; {len(FAULTS)} faults are found")


def checks(program, files):
    """Pairs of what would be wrong, and whether it is."""
    compose = yaml.safe_load(files["docker-compose.yml"])
    services = compose["services"]
    manual = subprocess.run([program, "man"], capture_output=True, text=True, check=True).stdout
    variables = set(re.findall(r"VEMSYNC_[A-Z0-9_]+", manual))
    port = re.search(r"default: 127\.0\.0\.1:(\d+)", manual.replace("\\", "")).group(1)
    dashboards = "".join(path.read_text() for path in Path("deploy/grafana/provisioning").rglob("*.yaml"))

    yield from dockerfile(files["Dockerfile"], port)
    code = "\n".join(line for line in files["docker-compose.yml"].splitlines() if not line.lstrip().startswith("#"))
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", code))
    offered = set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", files[".env.sample"], re.MULTILINE))
    for name in sorted(used | offered):
        yield f"{name} is not in .env.sample", name not in offered
        yield f"{name} of .env.sample is used nowhere", name not in used
    for name, secret in compose["secrets"].items():
        yield f"{name} lies outside of what git and Docker ignore", secret["file"] != f"./secrets/{name}"
        made = re.search(r"for name in ([\w ]+);", files[".env.sample"]).group(1).split()
        yield f"{name} is not made by .env.sample", name.removesuffix("_password") not in made
    for name in [".gitignore", ".dockerignore"]:
        for folder in ["/secrets", "/.env"]:
            yield f"{name} does not have {folder}", folder not in Path(name).read_text().splitlines()

    for name, service in services.items():
        image = service["image"]
        own = image == "vemsync"
        environment = {key: str(value) for key, value in service.get("environment", {}).items()}
        command = service.get("command", [])
        if own:
            answer = subprocess.run([program, *command, "--help"], capture_output=True, text=True)
            yield f"{name}: vemsync {' '.join(command)}: {answer.stderr}", answer.returncode != 0
            yield f"{name} may do more than it needs", service["cap_drop"] != ["ALL"] or not service["read_only"]
        else:
            yield f"{image} names no version", not re.search(r":\d", image)
        for key, value in environment.items():
            if key.startswith("VEMSYNC_"):
                known = key in variables if own else f"${key}" in dashboards
                yield f"{name}: {key} is unknown", not known
            if re.search("PASSWORD|SECRET|TOKEN", key):
                yield f"{name}: {key} is no file", not (key.endswith("_FILE") and value.startswith("/run/secrets/"))
            yield f"{name}: {key} holds a password in a URL", re.search(r"//[^/@]*:[^/@]*@", value)
        targets = {given if isinstance(given, str) else given["source"] for given in service.get("secrets", [])}
        for secret in re.findall(r"/run/secrets/(\w+)", " ".join([*environment.values(), *command])):
            yield f"{secret} is not given to {name}", secret not in targets
        yield f"{name} asks for a secret that there is not", not targets <= set(compose["secrets"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            there = Path(source).exists() if source.startswith(".") else source in compose["volumes"]
            yield f"{name}: {source} is not there", not there
        for published in service.get("ports", []):
            yield f"{name}: {published} is open to other machines", not published.startswith("127.0.0.1:")
            if own:
                inside = published.split(":")[-1]
                yield f"{name}: nothing listens on {inside}", environment["VEMSYNC_LISTEN"].split(":")[-1] != inside
        listen = environment.get("VEMSYNC_LISTEN")
        if listen:
            yield f"{name} listens on another port than {port}", not listen.endswith(f":{port}")
            yield f"{name} listens everywhere with no VEMSYNC_PUBLIC", environment.get("VEMSYNC_PUBLIC") != "true"
        for other, how in service.get("depends_on", {}).items():
            yield f"{name} waits for {other}, which is no service", other not in services
            target = services.get(other, {})
            healthy = how["condition"] != "service_healthy" or "test" in target.get("healthcheck", {})
            yield f"{name} waits for {other}, which does not say that it is well", not healthy
            ends = how["condition"] == "service_completed_successfully"
            yield f"{name} waits for {other} to end, which is started again", ends and "restart" in target
        yield f"{name} has no profile", name == "simulator" and service.get("profiles") != ["demo"]
        yield f"{name} starts only with a profile", name != "simulator" and "profiles" in service


def dockerfile(text, port):
    stage = text[text.rindex("\nFROM ") :]
    said = dict(re.findall(r"^(USER|EXPOSE|ENTRYPOINT|CMD|HEALTHCHECK) (.+)", stage, re.MULTILINE))
    yield f"USER: the image runs as {said['USER']}", not re.fullmatch(r"[1-9]\d*:[1-9]\d*", said["USER"])
    yield f"EXPOSE {said['EXPOSE']}: the program listens on {port}", said["EXPOSE"] != port
    for key in ["ENTRYPOINT", "CMD", "HEALTHCHECK"]:
        form = said[key].split("CMD ")[-1]
        yield f"{key} {form} needs a shell", not form.startswith("[")
        if form.startswith("[") and key != "CMD":
            program = json.loads(form)[0]
            yield f"{program} is not copied", not re.search(f"^COPY .* {re.escape(program)}$", stage, re.MULTILINE)
    yield "the image has a shell", "distroless" not in stage.splitlines()[1]


main()
