#!/usr/bin/env bash
# pictures.sh [SHARED]: rehearses a release, and draws its boards for the documentation, for light and dark pages.
#
# SHARED is a folder with tools/render-ticket.sh, by default ../shared. `.ci/run rehearsal` compares the Markdown behind
# the pictures with the boards of a rehearsal of today, and `.ci/run docs` compares the pictures with that Markdown, by the
# checksums that this script writes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

render=${1:-../shared}/tools/render-ticket.sh
if [[ ! -x $render ]]; then
    printf 'error: %s is not here: it draws Markdown as GitHub does\n' "$render" >&2
    exit 1
fi
folder=docs/pictures
boards=target/ci/boards

rm -rf "$boards"
cargo run --quiet --locked --example rehearse -- --boards "$boards"
rm -f "$folder"/*
cp "$boards"/*.md "$folder"
# The simulated GitHub ends with the rehearsal: the links name GitHub instead.
sed -i -E 's#http://127\.0\.0\.1:[0-9]+#https://github.com#g' "$folder"/*.md
for board in "$folder"/*.md; do
    NODE_DIR=$PWD/target/ci/render "$render" "$board" "${board%.md}-light.png" --width=800
    NODE_DIR=$PWD/target/ci/render "$render" "$board" "${board%.md}-dark.png" --width=800 --dark
done
cd "$folder"
sha256sum ./*.md ./*.png >SHA256SUMS
