# shellcheck shell=bash
# A throwaway Postgres server for tests and benchmarks. To be sourced; it changes no shell options and sets no traps:
# the script that starts a server also stops it, from its own EXIT trap.
#
#   postgres_require                        finds the server's programs, or installs them; sets POSTGRES_BIN
#   dir=$(postgres_folder)                  a new folder which the server's user can reach
#   url=$(postgres_start "$dir" fsync=off)  a server on a free loopback port, with these settings; prints its URL
#   postgres_stop "$dir"                    ends the server and deletes the folder; harmless when nothing was started

# shellcheck source=scripts/lib/install.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/install.sh"

POSTGRES_OLDEST=12

postgres_require() {
  if postgres_find; then
    return
  fi
  install_package "Postgres server, version $POSTGRES_OLDEST or newer" \
    postgresql postgresql-server postgresql-server postgresql postgresql postgresql@16 || return 1
  if ! postgres_find; then
    echo "Postgres was installed, but no folder with initdb, pg_ctl and postgres was found: add it to PATH." >&2
    return 1
  fi
}

postgres_folder() {
  local parent dir
  # A developer's own TMPDIR may be closed to the user that the server runs as.
  for parent in "${TMPDIR:-/tmp}" /tmp; do
    dir=$(mktemp -d "$parent/vemsync-postgres.XXXXXX") || continue
    if [ "$EUID" -eq 0 ]; then
      chown "$(postgres_user)" "$dir"
    fi
    if postgres_run test -w "$dir" 2>/dev/null; then
      echo "$dir"
      return
    fi
    rmdir "$dir"
  done
  echo "No temporary folder that the user $(postgres_user) can write to: set TMPDIR to one." >&2
  return 1
}

# A subshell: an interrupt must not leave a server half started, of which postgres_stop would know nothing.
postgres_start() (
  trap '' HUP INT TERM
  dir=$1
  shift
  cd -- "$dir" || exit 1
  if ! postgres_run "$POSTGRES_BIN/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
    >"$dir/initdb.log" 2>&1; then
    cat "$dir/initdb.log" >&2
    exit 1
  fi
  {
    echo "listen_addresses = '127.0.0.1'"
    echo "unix_socket_directories = '$dir'"
    for setting in "$@"; do
      echo "${setting%%=*} = '${setting#*=}'"
    done
  } >>"$dir/data/postgresql.conf"

  # Only binding a port tells that it is free. These lie below what systems hand out to outgoing connections.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    port=$((20000 + RANDOM % 12000))
    rm -f -- "$dir/log"
    if postgres_run "$POSTGRES_BIN/pg_ctl" start -w -t 60 -s -D "$dir/data" -l "$dir/log" -o "-p $port" >/dev/null 2>&1; then
      echo "postgres://postgres@127.0.0.1:$port/postgres"
      exit 0
    fi
    grep -q 'could not create any TCP/IP sockets' "$dir/log" || break
  done
  echo "Postgres did not start:" >&2
  cat "$dir/log" >&2
  exit 1
)

postgres_stop() (
  trap '' HUP INT TERM
  dir=${1:-}
  if ! [ -d "$dir" ]; then
    exit 0
  fi
  cd / || exit 1
  if [ -d "$dir/data" ] && postgres_run "$POSTGRES_BIN/pg_ctl" status -D "$dir/data" >/dev/null 2>&1; then
    # Nothing in it is worth a checkpoint.
    postgres_run "$POSTGRES_BIN/pg_ctl" stop -w -t 60 -s -m immediate -D "$dir/data" >&2 || exit 1
  fi
  rm -rf -- "$dir"
)

# Sets POSTGRES_BIN to the first folder with a server that is new enough and that the server's user may run.
postgres_find() {
  local candidate version
  while IFS= read -r candidate; do
    if ! [ -x "$candidate/initdb" ] || ! [ -x "$candidate/pg_ctl" ]; then
      continue
    fi
    version=$(cd / && postgres_run "$candidate/postgres" --version 2>/dev/null | sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p')
    if [ "${version:-0}" -ge "$POSTGRES_OLDEST" ]; then
      POSTGRES_BIN=$candidate
      return 0
    fi
  done < <(
    dirname -- "$(command -v postgres || true)"
    pg_config --bindir 2>/dev/null || true
    # Debian, Red Hat, Alpine, SUSE, Homebrew: none of them puts the server into PATH. The newest first.
    printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql*/ /usr/lib/postgresql*/bin \
      /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin | sort -rV
  )
  return 1
}

# Postgres refuses to run as root.
postgres_user() {
  if [ "$EUID" -ne 0 ]; then
    id -un
  elif id postgres >/dev/null 2>&1; then
    echo postgres
  else
    echo nobody
  fi
}

postgres_run() {
  if [ "$EUID" -ne 0 ]; then
    "$@"
  else
    su -s "$BASH" "$(postgres_user)" -c "$(printf '%q ' "$@")"
  fi
}
