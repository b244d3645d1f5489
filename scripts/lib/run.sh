# shellcheck shell=bash
# Runs commands so that a signal to the script alone also ends them. To be sourced; run_traps sets the traps for signals.
#
#   run_traps            HUP, INT and TERM end the running command first, then the script
#   run COMMAND…         runs a command without standard input, and returns its status

running=

run_traps() {
  trap 'run_interrupted HUP 129' HUP
  trap 'run_interrupted INT 130' INT
  trap 'run_interrupted TERM 143' TERM
}

# The command gets a process group of its own: otherwise bash would wait for it before it heeds a signal, and what the
# command needs would go away under it.
run() {
  set -m
  "$@" </dev/null &
  running=$!
  set +m
  local status=0
  wait "$running" || status=$?
  running=
  return "$status"
}

run_interrupted() {
  trap '' HUP INT TERM
  if [ -n "$running" ]; then
    kill -s "$1" -- "-$running" 2>/dev/null || true
    wait "$running" || true
  fi
  exit "$2"
}
