# shellcheck shell=bash
# What may happen to a database and to those who write into it, beside kills. To be sourced by crash.sh, whose helpers it
# uses. Each of these ends with the database equal to the source once the fault is gone.

fault_all() {
  local database
  crash_simulate short "$1" || return 1
  fault_disk_sqlite
  fault_disk_postgres
  fault_locked
  fault_cut
  for database in sqlite postgres; do
    fault_two_daemons "$database"
    fault_stopped "$database"
  done
}

# fault_mount NAME SIZE: a small disk; fails where this account may not mount one.
fault_mount() {
  mkdir "$work/$1" && mount -t tmpfs -o "size=$2,mode=755" vemsync-crash "$work/$1" 2>/dev/null || return 1
  mounted+=("$work/$1")
}

# fault_expect STATUS PATTERN COMMAND…: the command ends with one of the statuses (`1|4`) and says so in one line.
fault_expect() {
  local statuses=$1 pattern=$2 status=0
  shift 2
  crash_run short "$@" || status=$?
  if ! [[ $status =~ ^($statuses)$ ]]; then
    failed="status $status instead of $statuses: $(head -n 1 "$work/err")"
    return 1
  fi
  if ! grep -Eq "^vemsync: .*($pattern)" "$work/err"; then
    failed="it said: $(head -n 1 "$work/err")"
    return 1
  fi
}

# fault_done WHAT HOW BEGUN URL: judges the database, and notes the line.
fault_done() {
  local what=$1 how=$2 begun=$3 url=$4
  local outcome=held
  [ -n "$failed" ] || crash_judge short "$url" || true
  [ -z "$failed" ] || outcome="FAILED: $failed"
  crash_note "$what" "$how" "$(crash_since "$begun")" - "$outcome"
}

# fault_fill URL DISK: loads until the disk is full, and to the end once it is larger.
fault_fill() {
  fault_expect 4 "disk is full" "$1" sync --backfill all || return 0
  # Once more: what is half full stays usable.
  fault_expect 4 "disk is full" "$1" sync --backfill all || return 0
  mount -o remount,size=4g "$work/$2" || { failed="the disk could not grow"; return 0; }
  crash_run short "$1" sync --backfill all || failed="afterwards: $(head -n 1 "$work/err")"
}

fault_disk_sqlite() {
  local what="sqlite, disk full" begun=$EPOCHREALTIME url
  failed=
  # As large as about a fifth of what is to come.
  if ! fault_mount full-sqlite "$(($(<"$work/short.rows") / 5 + 2000))k"; then
    crash_note "$what" - 0 - "skipped: no disk can be mounted here"
    return
  fi
  url=sqlite:$work/full-sqlite/vemsync.db
  fault_fill "$url" full-sqlite
  fault_done "$what" "made larger" "$begun" "$url"
}

fault_disk_postgres() {
  local what="postgres, tablespace full" begun=$EPOCHREALTIME url
  failed=
  if ! fault_mount full-postgres "$(($(<"$work/short.rows") / 5 + 12000))k"; then
    crash_note "$what" - 0 - "skipped: no disk can be mounted here"
    return
  fi
  # The server's user has to reach it.
  chmod 711 "$work"
  install -d -m 700 -o "$(postgres_user)" "$work/full-postgres/data"
  crash_sql "$postgres" "create tablespace small location '$work/full-postgres/data'"
  crash_sql "$postgres" "create database full_disk tablespace small"
  url=${postgres%/*}/full_disk
  fault_fill "$url" full-postgres
  fault_done "$what" "made larger" "$begun" "$url"
  # A server whose tablespace is gone cannot stop in order.
  crash_drop "$url"
  crash_sql "$postgres" "drop tablespace small"
  chmod 700 "$work"
}

# Another program holds SQLite's write lock, for longer than the busy timeout of 30 s.
fault_locked() {
  local begun=$EPOCHREALTIME url=sqlite:$work/locked.db locker
  failed=
  crash_run short "$url" sync --backfill 1h || failed="the first sync: $(head -n 1 "$work/err")"
  mkfifo "$work/lock"
  sqlite3 "$work/locked.db" <"$work/lock" >/dev/null &
  locker=$!
  started+=("$locker")
  exec 9>"$work/lock"
  echo "begin immediate;" >&9
  sleep 0.5
  [ -n "$failed" ] || fault_expect 4 "stayed locked" "$url" backfill --since 1970-01-01 || true
  exec 9>&-
  crash_end TERM "$locker" || true
  [ -n "$failed" ] || crash_run short "$url" backfill --since 1970-01-01 || failed="afterwards: $(head -n 1 "$work/err")"
  fault_done "sqlite, locked by another program" "for more than 30 s" "$begun" "$url"
  crash_drop "$url"
}

# The connection to Postgres breaks at a COMMIT: before the server sees it, or before its answer comes back.
fault_cut() {
  local begun=$EPOCHREALTIME url through cutter status runs=0 before after port=${postgres##*:}
  failed=
  url=$(crash_database postgres cut)
  python3 scripts/lib/cut.py 127.0.0.1 "${port%%/*}" "$RANDOM" >"$work/cuts" &
  cutter=$!
  started+=("$cutter")
  until [ -s "$work/cuts" ]; do sleep 0.1; done
  through=postgres://postgres@127.0.0.1:$(head -n 1 "$work/cuts")/cut
  while [ -z "$failed" ]; do
    status=0
    crash_run short "$through" sync --backfill all || status=$?
    runs=$((runs + 1))
    case $status in
      0) break ;;
      1 | 4) grep -Eq '^vemsync: .*(database|connection)' "$work/err" || failed="it said: $(head -n 1 "$work/err")" ;;
      *) failed="status $status: $(head -n 1 "$work/err")" ;;
    esac
    [ "$runs" -lt 200 ] || failed="not done after $runs runs"
  done
  crash_end TERM "$cutter" || true
  before=$(grep -c before "$work/cuts" || true)
  after=$(grep -c after "$work/cuts" || true)
  [ -n "$failed" ] || [ "$after" -gt 0 ] || failed="no connection was cut"
  fault_done "postgres, connection cut before and after COMMIT" "$before before, $after after" "$begun" "$url"
  crash_drop "$url"
}

# fault_daemon URL LOG: starts a `run`.
fault_daemon() {
  # What an earlier one said must not be read as this one's.
  : >"$2"
  crash_start short "$1" "$2" run --backfill all --interval 1s --listen 127.0.0.1:0
}

# fault_await SECONDS COMMAND…: waits until a command succeeds.
fault_await() {
  local seconds=$1 begun=$EPOCHREALTIME
  shift
  until "$@"; do
    sleep 0.2
    if awk -v begun="$begun" -v now="$EPOCHREALTIME" -v most="$seconds" 'BEGIN { exit now - begun < most }'; then
      return 1
    fi
  done
}

fault_has_all() {
  [ "$(crash_sql "$1" "select count(*) from backup_task_sessions" 2>/dev/null || true)" = "$(<"$work/short.rows")" ]
}

# Two `run`s share a database. Whichever writes is killed; the other has to go on within ten seconds.
fault_two_daemons() {
  local database=$1 begun=$EPOCHREALTIME url kills=0 leader=first other=second swap
  local -A process
  failed=
  url=$(crash_database "$database" two)
  for other in first second; do
    fault_daemon "$url" "$work/$other"
    process[$other]=$!
  done
  fault_await 10 grep -q 'standing by' "$work/first" "$work/second" || failed="none stands by"
  if grep -q 'standing by' "$work/first"; then
    leader=second other=first
  fi
  while [ -z "$failed" ] && [ "$kills" -lt 12 ]; do
    sleep "0.$((RANDOM % 10))"
    crash_end KILL "${process[$leader]}" || true
    kills=$((kills + 1))
    fault_await 10 grep -q 'taking over' "$work/$other" || failed="not taken over within 10 s after kill $kills"
    fault_daemon "$url" "$work/$leader"
    process[$leader]=$!
    fault_await 10 grep -q 'standing by' "$work/$leader" || failed=${failed:-"started again, it does not stand by"}
    swap=$leader leader=$other other=$swap
  done
  [ -n "$failed" ] || fault_await 120 fault_has_all "$url" || failed="not all rows came"
  for other in first second; do
    crash_end TERM "${process[$other]}" || failed=${failed:-"the $other ended with $?"}
  done
  fault_done "$database, two daemons, the writer killed" "$kills kills" "$begun" "$url"
  crash_drop "$url"
}

# A `run` stands still for longer than its lease of 20 s while another is there, and then goes on.
fault_stopped() {
  local database=$1 begun=$EPOCHREALTIME url first second
  failed=
  url=$(crash_database "$database" stopped)
  fault_daemon "$url" "$work/first"
  first=$!
  # In the middle of its first history.
  fault_await 20 fault_has_some "$url" || failed="nothing was read"
  fault_stop "$url" "$first" || failed=${failed:-"it could not be stopped outside of a transaction"}
  fault_daemon "$url" "$work/second"
  second=$!
  fault_await 60 grep -q 'taking over' "$work/second" || failed=${failed:-"the second did not take over"}
  fault_await 60 fault_has_all "$url" || failed=${failed:-"not all rows came"}
  kill -CONT "$first"
  fault_await 20 grep -q 'standing by' "$work/first" || failed=${failed:-"the first did not stand by: $(tail -n 1 "$work/first")"}
  crash_end TERM "$first" || failed=${failed:-"the first ended with $?"}
  crash_end TERM "$second" || failed=${failed:-"the second ended with $?"}
  fault_done "$database, stopped for longer than the lease beside a second daemon" "$(crash_sql "$url" "select max(term) from sync_leases") terms" "$begun" "$url"
  crash_drop "$url"
}

fault_has_some() {
  [ "$(crash_sql "$1" "select count(*) from backup_task_sessions" 2>/dev/null || echo 0)" -gt 0 ]
}

# fault_stop URL PROCESS: stops it where it holds no lock on SQLite, which would be held for as long as it stands still.
fault_stop() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    kill -STOP "$2"
    [[ $1 = sqlite:* ]] || return 0
    sqlite3 "${1#sqlite:}" "begin immediate; rollback" 2>/dev/null && return
    kill -CONT "$2"
    sleep 0.01
  done
  return 1
}
