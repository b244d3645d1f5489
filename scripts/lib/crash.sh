# shellcheck shell=bash
# Kills the program, and its database, again and again, and breaks what it stands on. To be sourced. torture_crash sets
# traps that clean up when the script ends, so the script does nothing else.

# shellcheck source=scripts/lib/postgres.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/postgres.sh"
# shellcheck source=scripts/lib/fault.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/fault.sh"

# torture_crash [--rows N] [--seed N] [--only load|fault]: loads of N task sessions (a million) while the process is
# killed every 50 to 500 ms, then other faults with fewer rows. Prints a table, and fails unless all of it held: in the
# end the database is equal to the source, and the killed load took at most three times as long as the undisturbed one.
torture_crash() {
  local rows=1000000 seed=1 only="load fault"
  while [ $# -gt 0 ]; do
    case $1 in
      --rows | --seed)
        [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { echo "crash: $1 needs a number" >&2; return 2; }
        if [ "$1" = --rows ]; then rows=$2; else seed=$2; fi
        ;;
      --only)
        case ${2:-} in
          load | fault) only=$2 ;;
          *) echo "crash: --only is load or fault" >&2; return 2 ;;
        esac
        ;;
      *) echo "crash: unknown argument: $1" >&2; return 2 ;;
    esac
    shift 2
  done

  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'crash_clean_up' EXIT
  crash_prepare || return 1
  # What is drawn in a subshell would be drawn again here.
  RANDOM=$((seed % 32768))

  local database way
  if [[ $only = *load* ]]; then
    crash_simulate long "$rows" || return 1
    for database in sqlite postgres; do
      for way in backfill sync; do
        crash_load "$database" "$way" "$rows"
      done
    done
  fi
  if [[ $only = *fault* ]]; then
    fault_all "$((rows < 100000 ? rows : 100000))"
  fi
  crash_report "$seed"
  [ "$is_all_well" = yes ]
}

work=
server=
postgres=
started=()
mounted=()
outcomes=()
is_all_well=yes
failed=

crash_prepare() {
  cargo build --release --locked --bin vemsync || return 1
  command -v sqlite3 >/dev/null || install_package "sqlite3 shell" sqlite3 sqlite sqlite3 sqlite sqlite sqlite || return 1
  command -v python3 >/dev/null || install_package Python python3 python3 python3 python3 python python3 || return 1
  postgres_require || return 1
  umask 077
  work=$(mktemp -d "${TMPDIR:-/tmp}/vemsync-crash.XXXXXX") || return 1
  # Another build must not change the program under the test.
  cp -- "${CARGO_TARGET_DIR:-target}/release/vemsync" "$work/vemsync"
  export XDG_CONFIG_HOME=$work/config
  echo demo >"$work/password"
  PATH=$PATH:$POSTGRES_BIN
  server=$(postgres_folder) || return 1
  # Nothing is set: what is committed has to survive with what a server does by itself.
  postgres=$(postgres_start "$server") || return 1
}

crash_clean_up() {
  trap '' HUP INT TERM
  local process folder
  for process in ${started[@]+"${started[@]}"}; do
    kill -CONT "$process" 2>/dev/null || true
    kill "$process" 2>/dev/null || true
    { wait "$process"; } 2>/dev/null || true
  done
  postgres_stop "$server"
  for folder in ${mounted[@]+"${mounted[@]}"}; do
    umount "$folder" || true
  done
  [ -z "$work" ] || rm -rf -- "$work"
}

# crash_simulate NAME TASKS: an Enterprise Manager with a plain history; its URL and its rows land in files.
crash_simulate() {
  echo "crash: making a history of $2 task sessions …" >&2
  "$work/vemsync" simulate --bind 127.0.0.1:0 --tasks "$2" --rows-per-hour 1000 --freeze --end 2026-02-01T12:00:00Z \
    >"$work/$1.out" &
  started+=($!)
  until grep -qs '^listening on ' "$work/$1.out"; do
    kill -0 $! || { echo "crash: the simulator did not start" >&2; return 1; }
    sleep 0.2
  done
  sed -n 's/^listening on //p' "$work/$1.out" >"$work/$1.url"
  echo "$2" >"$work/$1.rows"
}

# crash_load DATABASE WAY ROWS: one load without a disturbance, and one with kills. WAY is how a history is read:
# `backfill` after a first sync, or the first `sync` itself.
crash_load() {
  local database=$1 way=$2 url begun calm=0 seconds=0 down=0 kills=0 stops=0 what outcome stopper
  local command=(sync --backfill all)
  [ "$way" = sync ] || command=(backfill --since 1970-01-01)
  what="$database, ${command[*]}"

  echo "crash: $what, undisturbed …" >&2
  url=$(crash_database "$database" "calm_$way")
  [ "$way" = sync ] || crash_run long "$url" sync --backfill 1h || { crash_tell; outcome="FAILED: the first sync"; }
  begun=$EPOCHREALTIME
  crash_run long "$url" "${command[@]}" || { crash_tell; outcome="FAILED: undisturbed"; }
  calm=$(crash_since "$begun")
  crash_drop "$url"

  echo "crash: $what, killed every 50 to 500 ms …" >&2
  url=$(crash_database "$database" "killed_$way")
  [ "$way" = sync ] || crash_run long "$url" sync --backfill 1h || { crash_tell; outcome="FAILED: the first sync"; }
  begun=$EPOCHREALTIME
  if [ "$database" = postgres ]; then
    crash_server_again_and_again "$RANDOM" &
    stopper=$!
    started+=("$stopper")
  fi
  crash_kill_until_done long "$url" "$(crash_of "$calm" '* 6 + 60')" "${command[@]}" || outcome="FAILED: $failed"
  seconds=$(crash_since "$begun")
  if [ "$database" = postgres ]; then
    # It ends between two stops, with the server up.
    crash_end TERM "$stopper" || true
    read -r stops down <"$work/stops"
  fi
  crash_judge long "$url" || outcome=${outcome:-"FAILED: $failed"}
  local allowed
  allowed=$(awk -v calm="$calm" -v down="$down" 'BEGIN { print 3 * calm + down }')
  if awk -v seconds="$seconds" -v allowed="$allowed" 'BEGIN { exit seconds <= allowed }'; then
    outcome=${outcome:-TOO SLOW}
  fi
  [ "$database" = sqlite ] || what="$what; server stopped $stops times, $(printf %.1f "$down") s"
  crash_note "$what" "$3 rows, $kills kills" "$seconds" "$allowed" "${outcome:-held}" "undisturbed $(printf %.1f "$calm") s"
  crash_drop "$url"
}

# Kills a command after a random time and starts it again, until it ends by itself. Sets `kills`, and `failed` if it
# ended with anything but 0, or with an error of the database while that is stopped every now and then.
crash_kill_until_done() {
  local simulator=$1 url=$2 patience=$3 begun=$EPOCHREALTIME pause process status
  shift 3
  kills=0
  while :; do
    pause=$(printf '0.%03d' $((50 + (RANDOM * 32768 + RANDOM) % 451)))
    crash_start "$simulator" "$url" "$work/err" "$@"
    process=$!
    sleep "$pause"
    status=0
    crash_end KILL "$process" || status=$?
    case $status in
      0) return ;;
      137) kills=$((kills + 1)) ;;
      1 | 4)
        # The server was stopped under it, and it has to say so.
        if [[ $url = sqlite:* ]] || ! grep -q '^vemsync: .*database' "$work/err"; then
          failed="status $status, $(head -n 1 "$work/err")"
          return 1
        fi
        ;;
      *)
        failed="status $status, $(head -n 1 "$work/err")"
        return 1
        ;;
    esac
    if awk -v begun="$begun" -v now="$EPOCHREALTIME" -v most="$patience" 'BEGIN { exit now - begun < most }'; then
      failed="given up after $kills kills, with $(crash_sql "$url" 'select count(*) from backup_task_sessions') tasks"
      return 1
    fi
  done
}

# Stops the Postgres server without a checkpoint every 5 to 20 s and starts it again, until it is told to end. How often,
# and for how many seconds together, lands in a file.
crash_server_again_and_again() {
  local seed=$1 stops=0 down=0 begun pause=
  RANDOM=$seed
  # Bash runs it when what is under way is done: never between a stop and a start.
  trap 'kill "$pause" 2>/dev/null || true; exit 0' TERM
  echo "0 0" >"$work/stops"
  while :; do
    sleep "$((5 + RANDOM % 15)).$((RANDOM % 10))" &
    pause=$!
    wait "$pause"
    begun=$EPOCHREALTIME
    crash_server_restart || return 1
    stops=$((stops + 1))
    down=$(awk -v down="$down" -v more="$(crash_since "$begun")" 'BEGIN { print down + more }')
    echo "$stops $down" >"$work/stops"
  done
}

# A shell of its own takes no signal between the stop and the start.
crash_server_restart() (
  trap '' TERM
  cd / || exit 1
  local port=${postgres##*:}
  postgres_run "$POSTGRES_BIN/pg_ctl" stop -m immediate -w -t 60 -s -D "$server/data" >>"$work/pg_ctl" 2>&1
  sleep 0.5
  postgres_run "$POSTGRES_BIN/pg_ctl" start -w -t 120 -s -D "$server/data" -l "$server/log" -o "-p ${port%%/*}" \
    >>"$work/pg_ctl" 2>&1
)

# crash_judge SIMULATOR URL: whether a database is equal to the source. Otherwise `failed` says what is wrong.
crash_judge() {
  local tasks wanted sound=ok
  wanted=$(<"$work/$1.rows")
  if ! crash_run "$1" "$2" verify --json --since 1970-01-01; then
    failed="verify: $(tr -d ' \n' <"$work/out" | head -c 300) $(head -n 1 "$work/err")"
    return 1
  fi
  tasks=$(crash_sql "$2" "select count(*) || ' ' || count(distinct uid) from backup_task_sessions")
  if [ "$tasks" != "$wanted $wanted" ]; then
    failed="rows and identities: $tasks instead of $wanted"
    return 1
  fi
  [[ $2 != sqlite:* ]] || sound=$(crash_sql "$2" "pragma integrity_check; pragma foreign_key_check")
  if [ "$sound" != ok ]; then
    failed="integrity_check: $sound"
    return 1
  fi
  # What is done is known to be done.
  if ! crash_run "$1" "$2" sync || ! grep -q ': nothing new; ' "$work/out"; then
    failed="a sync afterwards: $(tail -n 1 "$work/out") $(head -n 1 "$work/err")"
    return 1
  fi
}

# crash_run SIMULATOR URL COMMAND…: runs vemsync to its end.
crash_run() {
  local simulator=$1 url=$2
  shift 2
  "$work/vemsync" "$@" --url "$(<"$work/$simulator.url")" --username demo --password-file "$work/password" \
    --database "$url" >"$work/out" 2>"$work/err"
}

# crash_start SIMULATOR URL LOG COMMAND…: starts vemsync, whose number is in $! then.
crash_start() {
  local simulator=$1 url=$2 log=$3
  shift 3
  "$work/vemsync" "$@" --url "$(<"$work/$simulator.url")" --username demo --password-file "$work/password" \
    --database "$url" >"$work/out" 2>"$log" &
  started+=($!)
}

# crash_end SIGNAL PROCESS: ends what was started, and returns its status.
crash_end() {
  local process others=() status=0
  kill -s "$1" "$2" 2>/dev/null || true
  # Bash would say that it was killed.
  { wait "$2"; } 2>/dev/null || status=$?
  for process in "${started[@]}"; do
    [ "$process" = "$2" ] || others+=("$process")
  done
  started=(${others[@]+"${others[@]}"})
  return "$status"
}

crash_tell() {
  cat "$work/out" "$work/err" >&2
}

crash_database() {
  case $1 in
    sqlite) echo "sqlite:$work/$2.db" ;;
    postgres)
      crash_sql "$postgres" "create database $2"
      echo "${postgres%/*}/$2"
      ;;
  esac
}

crash_drop() {
  case $1 in
    sqlite:*) rm -f -- "${1#sqlite:}"* ;;
    *) crash_sql "$postgres" "drop database ${1##*/} with (force)" || true ;;
  esac
}

crash_sql() {
  case $1 in
    sqlite:*) sqlite3 "${1#sqlite:}" "$2" ;;
    *) psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$1" -c "$2" ;;
  esac
}

crash_since() {
  awk -v begun="$1" -v now="$EPOCHREALTIME" 'BEGIN { print now - begun }'
}

crash_of() {
  awk "BEGIN { printf \"%.0f\", $1 $2 }"
}

# crash_note WHAT HOW SECONDS ALLOWED OUTCOME [REMARK]: a line of the table; no bound is `-`.
crash_note() {
  local allowed=$4
  [ "$allowed" = - ] || allowed=$(printf %.1f "$allowed")
  outcomes+=("$1|$2|$(printf %.1f "$3")|$allowed|$5${6:+ ($6)}")
  case $5 in
    held | skipped*) ;;
    *) is_all_well=no ;;
  esac
  echo "crash: $1: $5" >&2
}

crash_report() {
  local line what how seconds allowed outcome
  printf '\nseed %s; %s cores, %s\n' "$1" "$(nproc)" "$(postgres_run "$POSTGRES_BIN/postgres" --version)"
  printf '%-72s %-28s %8s %8s  %s\n' WHAT HOW SECONDS ALLOWED OUTCOME
  for line in "${outcomes[@]}"; do
    IFS='|' read -r what how seconds allowed outcome <<<"$line"
    printf '%-72s %-28s %8s %8s  %s\n' "$what" "$how" "$seconds" "$allowed" "$outcome"
  done
}
