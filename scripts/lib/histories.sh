# shellcheck shell=bash
# Plays the histories of tests/it/histories.rs by the thousand. To be sourced.

# torture_histories FROM COUNT: a process on each processor, since threads that stay on one wake each other faster.
torture_histories() {
  local from=$1 count=$2 cpus parts=() i to process status=0
  mapfile -t cpus < <(processors)
  if [ "$count" -lt $((2 * ${#cpus[@]})) ] || [ ${#cpus[@]} -eq 1 ]; then
    VEMSYNC_HISTORIES=$from..$((from + count)) it histories::no_history_loses_a_row | table
    return
  fi
  cargo test --quiet --locked --test it --no-run
  local work
  work=$(mktemp -d "${TMPDIR:-/tmp}/vemsync-torture.XXXXXX")
  for ((i = 0; i < ${#cpus[@]}; i++)); do
    to=$((from + count / (${#cpus[@]} - i)))
    (
      taskset -cp "${cpus[$i]}" "$BASHPID" >/dev/null
      VEMSYNC_HISTORIES=$from..$to it histories::no_history_loses_a_row | table >"$work/$i"
    ) &
    parts+=($!)
    count=$((count - to + from)) from=$to
  done
  for process in "${parts[@]}"; do
    wait "$process" || status=1
  done
  # The counts together, then what each says of the histories that broke.
  awk '
    /^(histories|rows|requests|passes|crashes)[a-z ]* [0-9]+$/ {
      count = $NF
      sub(/ +[0-9]+$/, "")
      if (!($0 in sum)) labels[++lines] = $0
      sum[$0] += count
      next
    }
    /^seconds / { if ($NF > seconds) seconds = $NF; next }
    { rest = rest $0 "\n" }
    END {
      for (i = 1; i <= lines; i++) printf "%-21s %9d\n", labels[i], sum[labels[i]]
      printf "%-21s %9.1f\n%s", "seconds", seconds, rest
    }' "$work"/*
  rm -rf -- "$work"
  return "$status"
}

# The processors that this may run on, one a line; only one where nothing can be kept on one.
processors() {
  local list=0 part
  if command -v taskset >/dev/null; then
    list=$(taskset -cp $$ | sed 's/.*: //')
  fi
  for part in ${list//,/ }; do
    seq "${part%-*}" "${part#*-}"
  done
}

# torture_planted: each bug has a process of its own; two or three minutes each at the most.
torture_planted() {
  local bug missed=0
  export VEMSYNC_HISTORIES=300
  it --features planted histories::no_bug_is_found_where_none_is_planted | table || missed=1
  export VEMSYNC_HISTORIES=1000
  printf '%-18s %-9s  %-5s  %s\n' bug "found at" by what
  for bug in $(sed -n 's/^ *("\([a-z-]*\)", Bug::.*/\1/p' src/planted.rs); do
    export VEMSYNC_PLANTED=$bug
    it --features planted histories::a_planted_bug_is_found | table | cut -c 1-160 | grep "^$bug " || {
      printf '%-18s NOT FOUND\n' "$bug"
      missed=1
    }
  done
  return "$missed"
}

# it [--features F] TEST: one test of the integration binary, with what it prints.
it() {
  local test=${!#}
  # What a test of a planted bug panics with is expected.
  RUST_BACKTRACE=0 cargo test --quiet --locked --test it "${@:1:$#-1}" -- --exact "$test" --nocapture
}

# Without the test runner's own lines.
table() {
  grep -v -e '^$' -e '^running ' -e '^test ' -e '^failures:' -e '^    histories::' -e '^\.*$' -e 'panicked at' -e '^note: run with'
}
