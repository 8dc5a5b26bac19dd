#!/usr/bin/env bash
# pictures.sh [SHARED]: writes the boards that the documentation shows, and draws them, light and dark.
#
# SHARED is a folder with tools/render-ticket.sh, by default ../shared. `cargo test --test action boards` compares
# the Markdown behind the pictures with the boards of today, and `.ci/run docs` compares the pictures with that Markdown, by
# the checksums that this script writes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

render=${1:-../shared}/tools/render-ticket.sh
if [[ ! -x $render ]]; then
    printf 'error: %s is not here: it draws Markdown as GitHub does\n' "$render" >&2
    exit 1
fi
folder=docs/pictures
boards=(failed underway released)

cargo run --quiet --locked --example boards -- "$folder" "${boards[@]}"
for board in "${boards[@]}"; do
    NODE_DIR=$PWD/target/ci/render "$render" "$folder/$board.md" "$folder/$board-light.png" --width=800
    NODE_DIR=$PWD/target/ci/render "$render" "$folder/$board.md" "$folder/$board-dark.png" --width=800 --dark
done
cd "$folder"
sha256sum ./*.md ./*.png >SHA256SUMS
