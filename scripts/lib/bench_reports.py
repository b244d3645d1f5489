"""Fills a migrated database with a year of a large site, and times the views: bench_reports.py URL TASKS.

Nine in ten tasks are backups: a thousand jobs with 20 machines each, every night at its own minute, every fourth night
a retry. The rest are replicas and CDP. Two in a hundred fail, three in a hundred warn.
"""

import random
import sqlite3
import subprocess
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)
DAYS = 365
ROUNDS = 3

# Each view as its report asks it; {t7} is the time seven days before now, {d7} the day.
QUESTIONS = [
    ("sessions", "24 hours", "creation_time >= {t1}"),
    ("job_runs", "24 hours", "start_time >= {t1}"),
    ("job_runs", "7 days", "start_time >= {t7}"),
    ("job_runs", "one job, 30 days", "job_name = 'Job 17' and start_time >= {t30}"),
    ("job_status", "all jobs", ""),
    ("job_status", "one job", "job_name = 'Job 17'"),
    ("job_daily_results", "14 days", "day >= {d14}"),
    ("job_daily_results", "30 days", "day >= {d30}"),
    ("vm_protection", "all machines", ""),
    ("machine_protection", "one machine", "vm_display_name = 'app-server-117'"),
    ("machine_sessions", "one machine, 90 days", "vm_display_name = 'app-server-117' and creation_time >= {t90}"),
    ("vm_daily_status", "one machine", "vm_display_name = 'app-server-117'"),
    ("vm_daily_status", "7 days", "day >= {d7}"),
    ("failures", "24 hours", "end_time >= {t1}"),
    ("failures", "7 days", "end_time >= {t7}"),
    ("running_sessions", "all", ""),
    ("restore_audit", "30 days", "start_time >= {t30}"),
    ("failover_audit", "all", ""),
    ("cdp_status", "all", ""),
    ("size_growth", "one machine", "vm_display_name = 'app-server-117'"),
    ("size_growth", "one day", "day = {d2}"),
    ("daily_results", "14 days", "day >= {d14}"),
    ("daily_results", "30 days", "day >= {d30}"),
    ("audit_monthly", "one month", "month = {month}"),
    ("sync_freshness", "all", ""),
]


def main(url, tasks):
    database = Sqlite(url) if url.startswith("sqlite:") else Postgres(url)
    begun = time.monotonic()
    database.fill(Site(tasks))
    print(f"{database.name}: filled in {time.monotonic() - begun:.0f} s, {database.size()}", flush=True)
    print(f"{'view':20} {'asked for':20} {'seconds':>8} {'rows':>8}")
    for view, asked, condition in QUESTIONS:
        sql = f"select * from {view}" + (f" where {condition.format(**moments())}" if condition else "")
        took, rows = zip(*(database.time(sql) for _ in range(ROUNDS)))
        print(f"{view:20} {asked:20} {sorted(took)[ROUNDS // 2]:8.3f} {rows[0]:8}", flush=True)


def moments():
    found = {"month": "'2026-10-01'"}
    for days in (1, 2, 7, 14, 30, 90):
        found[f"t{days}"] = "'" + text(NOW - timedelta(days=days)) + "'"
        found[f"d{days}"] = "'" + (NOW - timedelta(days=days)).strftime("%Y-%m-%d") + "'"
    return found


def text(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Site:
    """Rows of every table, in the order of time, as lists of texts; None is null."""

    def __init__(self, tasks):
        self.random = random.Random(7)
        # 20 machines a job, 1.25 runs a night.
        self.jobs = max(1, round(tasks * 0.9 / (20 * 1.25 * DAYS)))
        self.replicas = max(1, round(tasks * 0.07 / (10 * 4 * DAYS)))
        self.policies = max(1, round(tasks * 0.03 / (10 * 3 * DAYS)))
        self.servers = [self.uid() for _ in range(min(10, self.jobs))]
        self.job_uids = [self.uid() for _ in range(self.jobs + self.replicas)]
        self.policy_uids = [self.uid() for _ in range(self.policies)]

    def uid(self):
        return str(uuid.UUID(int=self.random.getrandbits(128)))

    def server(self, n):
        return self.servers[n % len(self.servers)]

    def tables(self):
        seen = text(NOW)
        yield "enterprise_managers", "name base_url first_seen_at updated_at", [["bench", "", seen, seen]]
        head = "uid em_id name first_seen_at updated_at"
        yield "backup_servers", head, ([u, "1", f"vbr-{n:02}", seen, seen] for n, u in enumerate(self.servers))
        yield "jobs", head + " backup_server_uid job_type listed_as", (
            [u, "1", f"Job {n}", seen, seen, self.server(n), "Backup" if n < self.jobs else "Replica", "Job"]
            for n, u in enumerate(self.job_uids)
        )
        yield "cdp_policies", head, ([u, "1", f"Policy {n}", seen, seen] for n, u in enumerate(self.policy_uids))
        session = "uid em_id backup_server_uid name creation_time end_time state result first_seen_at updated_at "
        run = session + "job_uid job_name job_type is_retry"
        task = session + "vm_display_name reason total_size_bytes "
        yield "backup_job_sessions", run, self.runs("Backup")
        yield "backup_task_sessions", task + "job_session_uid job_uid", self.tasks("Backup", 20)
        yield "replica_job_sessions", run, self.runs("Replica")
        yield "replica_task_sessions", task + "job_session_uid job_uid", self.tasks("Replica", 10)
        yield "cdp_replica_sessions", session + "policy_uid policy_name", self.runs("Cdp")
        yield "cdp_replica_task_sessions", task + "policy_session_uid policy_uid", self.tasks("Cdp", 10)
        yield "restore_sessions", session + "restore_type vm_display_name vm_restore_point_name", self.restores()

    def session(self, uid, server, start, seconds, state):
        end = start + timedelta(seconds=seconds)
        draw = self.random.random()
        result = "Failed" if draw < 0.02 else "Warning" if draw < 0.05 else "Success"
        return [uid, "1", server, "session", text(start), text(end), state, result, text(end), text(end)]

    def starts(self, sort):
        """(run, number of the job, start, seconds, is a retry), the same each time it is asked for."""
        rng = random.Random(sort)
        for day in range(DAYS):
            midnight = NOW - timedelta(days=DAYS - day)
            if sort == "Backup":
                runs = [(n, n * 37 % 80000, rng.randint(600, 6000), retry) for n in range(self.jobs)
                        for retry in ((False, True) if (n * 7919 + day) % 4 == 0 else (False,))]
            elif sort == "Replica":
                runs = [(self.jobs + n, hour * 21600 + n, 1200, False) for hour in range(4) for n in range(self.replicas)]
            else:
                runs = [(n, n, 86340, False) for n in range(self.policies)]
            for n, at, seconds, retry in sorted(runs, key=lambda run: run[1] + 10800 * run[3]):
                uid = str(uuid.UUID(int=rng.getrandbits(128)))
                yield uid, n, midnight + timedelta(seconds=at + 10800 * retry), seconds, retry

    def runs(self, sort):
        for uid, n, start, seconds, retry in self.starts(sort):
            row = self.session(uid, self.server(n), start, seconds, "Stopped")
            if sort == "Cdp":
                yield row + [self.policy_uids[n], f"Policy {n}"]
            else:
                yield row + [self.job_uids[n], f"Job {n}", sort, str(int(retry))]

    def tasks(self, sort, machines):
        for uid, n, start, seconds, _ in self.starts(sort):
            parent = self.policy_uids[n] if sort == "Cdp" else self.job_uids[n]
            for part in range(3 if sort == "Cdp" else 1):
                for vm in range(machines):
                    at = start + timedelta(hours=8 * part, seconds=5 * vm, microseconds=self.random.randrange(10**6))
                    took = 28700 if sort == "Cdp" else self.random.randint(30, max(31, seconds - 100))
                    row = self.session(self.uid(), self.server(n), at, took, "Completed")
                    size = 0 if row[7] == "Failed" else 50_000_000_000 + vm * 10**9 + (at - NOW).days * 10**7
                    why = None if row[7] == "Success" else "Cannot open the snapshot"
                    yield row + [f"app-server-{n * machines + vm}", why, str(max(0, size)), uid, parent]

    def restores(self):
        for n in range(10000):
            at = NOW - timedelta(minutes=50 * (10000 - n))
            point = (at - timedelta(hours=9)).strftime("%Y-%m-%d %H:%M:%S")
            row = self.session(self.uid(), self.server(n), at, 3600, "Stopped")
            yield row + ["RestoreVm", f"app-server-{n}", f"app-server-{n}@{point}"]


class Sqlite:
    name = "SQLite"

    def __init__(self, url):
        self.path = url.removeprefix("sqlite:")

    def fill(self, site):
        conn = sqlite3.connect(self.path, isolation_level=None)
        for setting in ("synchronous = off", "foreign_keys = off", "cache_size = -500000", "journal_mode = wal"):
            conn.execute(f"pragma {setting}")
        for table, columns, rows in site.tables():
            names = columns.split()
            conn.execute("begin")
            conn.executemany(f"insert into {table} ({', '.join(names)}) values ({', '.join('?' * len(names))})", rows)
            conn.execute("commit")
        conn.execute(f"update report_settings set as_of = '{text(NOW)}'")
        conn.execute("pragma optimize")
        conn.close()

    def size(self):
        conn = sqlite3.connect(self.path)
        (pages,), (page,) = conn.execute("pragma page_count").fetchone(), conn.execute("pragma page_size").fetchone()
        return f"{pages * page / 2**30:.1f} GiB"

    def time(self, sql):
        conn = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        begun = time.monotonic()
        rows = len(conn.execute(sql).fetchall())
        took = time.monotonic() - begun
        conn.close()
        return took, rows


class Postgres:
    name = "Postgres"

    def __init__(self, url):
        self.url = url

    def run(self, sql):
        done = subprocess.run(["psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", self.url], input=sql, text=True,
                              capture_output=True, check=True)
        return done.stdout

    def fill(self, site):
        for table, columns, rows in site.tables():
            copy = subprocess.Popen(
                ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c",
                 f"copy {table} ({columns.replace(' ', ', ')}) from stdin"],
                stdin=subprocess.PIPE, text=True)
            for row in rows:
                copy.stdin.write("\t".join("\\N" if value is None else value for value in row) + "\n")
            copy.stdin.close()
            if copy.wait() != 0:
                sys.exit(f"{table} could not be filled")
        self.run(f"update report_settings set as_of = '{text(NOW)}'")
        self.run("vacuum (analyze)")
        self.run("checkpoint")

    def size(self):
        return self.run("select pg_size_pretty(pg_database_size(current_database()))").strip()

    def time(self, sql):
        out = self.run(f"set jit = off;\n\\timing on\n\\o /dev/null\n{sql};\n\\o\nselect count(*) from ({sql}) counted;\n")
        lines = [line for line in out.splitlines() if line]
        return float(lines[0].split()[1].replace(",", ".")) / 1000, int(lines[1])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
