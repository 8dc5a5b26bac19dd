#!/usr/bin/env bash
# fuzz.sh FOLDER [SECONDS]: runs each fuzz target from its seeds and from the inputs of earlier runs below FOLDER. With
# SECONDS each target runs for this time, with other random numbers each time. Without SECONDS the random numbers and the
# number of executions are always the same, so that only a change makes the check fail.
#
# It needs cargo-fuzz. It keeps an input that breaks a target below FOLDER, and prints its path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1
seconds=${2:-}
limits=(-seed=1 -runs=50000)
[[ -z $seconds ]] || limits=(-max_total_time="$seconds")
exit_code=0

# Without a sanitizer, which only finds faults of unsafe code; and with a stable compiler.
cargo_fuzz() {
    cargo fuzz "$1" --sanitizer none --target-dir target/fuzz "${@:2}"
}

cargo_fuzz build
readarray -t targets < <(cargo fuzz list)
for target in "${targets[@]}"; do
    mkdir -p "$folder/$target"
    if cargo_fuzz run "$target" "$folder/$target" "fuzz/seeds/$target" -- \
        "${limits[@]}" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$folder/broken-$target-" >"$folder/$target.log" 2>&1; then
        printf '%s: %s executions\n' "$target" \
            "$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$target.log")"
    else
        exit_code=1
        printf '%s is broken:\n' "$target"
        tail -n 60 "$folder/$target.log"
    fi
done
exit "$exit_code"
