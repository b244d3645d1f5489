# shellcheck shell=bash
# Runs the fuzz targets below fuzz/. To be sourced; it changes no shell options and sets no traps.

# torture_fuzz TIME: all targets, in that time together (60s, 5m, 1h; the first build is not counted). Prints a table
# and fails if any target failed; what it failed on lies below fuzz/artifacts then. What is found on the way is kept
# below fuzz/target, so that the next run goes on from there.
torture_fuzz() {
  local seconds
  seconds=$(fuzz_seconds "$1") || return 2
  fuzz_require || return 1

  local targets target share status=0
  # shellcheck disable=SC2207 # names without spaces
  targets=($(cargo +nightly fuzz list))
  share=$((seconds / ${#targets[@]}))
  [ "$share" -ge 1 ] || share=1
  # No sanitizer: the crate forbids unsafe code, and a panic needs none to be seen.
  cargo +nightly fuzz build --sanitizer none || return 1

  local rows=() found log runs size outcome
  for target in "${targets[@]}"; do
    found=fuzz/target/corpus/$target
    log=fuzz/target/$target.log
    mkdir -p "$found"
    outcome=ok
    echo "fuzz: $target, $share s …" >&2
    cargo +nightly fuzz run --sanitizer none "$target" "$found" "fuzz/corpus/$target" -- \
      -max_total_time="$share" -max_len=16384 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      </dev/null >"$log" 2>&1 || outcome=FAILED
    if [ "$outcome" = FAILED ]; then
      status=1
      # From where it went wrong on; the build's lines and the progress before it say nothing.
      grep -E -A 12 'panicked at|ERROR: libFuzzer|^error' "$log" | tail -n 40 >&2 || tail -n 20 "$log" >&2
    fi
    runs=$(fuzz_last "$log" 's/^stat::number_of_executed_units: *//p')
    size=$(fuzz_last "$log" 's/^.* corp: \([0-9]*\).*/\1/p')
    rows+=("$target|${runs:--}|$(fuzz_first "$log") → $(fuzz_last "$log" 's/^.* cov: \([0-9]*\).*/\1/p')|${size:--}|$outcome")
  done

  printf '%-10s %12s %16s %8s  %s\n' TARGET EXECUTIONS COVERAGE CORPUS OUTCOME
  local row runs_column coverage size_column
  for row in "${rows[@]}"; do
    IFS='|' read -r target runs_column coverage size_column outcome <<<"$row"
    # printf counts bytes, and the arrow has three.
    printf '%-10s %12s %18s %8s  %s\n' "$target" "$runs_column" "$coverage" "$size_column" "$outcome"
  done
  return "$status"
}

fuzz_seconds() {
  if [[ $1 =~ ^([1-9][0-9]*)([smh]?)$ ]]; then
    case ${BASH_REMATCH[2]} in
      h) echo $((BASH_REMATCH[1] * 3600)) ;;
      m) echo $((BASH_REMATCH[1] * 60)) ;;
      *) echo "${BASH_REMATCH[1]}" ;;
    esac
    return
  fi
  echo "fuzz: \"$1\" is no time; give one such as 60s, 5m or 1h" >&2
  return 1
}

fuzz_require() {
  if ! cargo +nightly --version >/dev/null 2>&1; then
    if ! command -v rustup >/dev/null 2>&1 || ! rustup toolchain install nightly --profile minimal >&2; then
      echo 'fuzz: nightly Rust is missing. Install it with: rustup toolchain install nightly --profile minimal' >&2
      return 1
    fi
  fi
  if ! cargo fuzz --version >/dev/null 2>&1 && ! cargo install cargo-fuzz --locked >&2; then
    echo 'fuzz: cargo-fuzz is missing. Install it with: cargo install cargo-fuzz --locked' >&2
    return 1
  fi
}

# The last match of a sed script in a log.
fuzz_last() {
  sed -n "$2" "$1" | tail -n 1
}

# The coverage that the corpus has before anything new is tried.
fuzz_first() {
  sed -n 's/^.*INITED cov: \([0-9]*\).*/\1/p' "$1" | head -n 1
}
