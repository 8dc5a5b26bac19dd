#!/usr/bin/env bash
# end-to-end.sh [SHARED]: plays the workflows of the documentation in a runner on this machine, with the action's
# image, against the simulated GitHub.
#
# It needs Linux, Rust and Python, and a Docker engine or root on Debian. SHARED is a folder as .ci/docker.sh describes
# it; if it contains tools/render-ticket.sh, too, this script draws the tickets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

shared=${1:-}
tools=$PWD/target/ci
tickets=${CARGO_TARGET_DIR:-target}/tmp/end-to-end
# shellcheck source=.ci/docker.sh
source .ci/docker.sh

# The runner uses /tmp for temporary files, here and in each container, and these are two different folders.
check_folders() {
    local folder
    for folder in "$PWD" "${CARGO_TARGET_DIR:-$PWD}"; do
        folder=$(realpath --canonicalize-missing "$folder")
        [[ $folder/ != /tmp/* ]] || fail "$folder is below /tmp, which the runner, act, uses for its own files: \
the files of the steps would be lost. Clone the project into another folder, and leave CARGO_TARGET_DIR outside of /tmp too"
    done
}

install_act() {
    python3 -m venv "$tools/act"
    "$tools/act/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        --requirement .ci/requirements-act.txt
}

play() {
    rm -rf "$tickets"
    # `run:` steps use the base image of the build: it is already here, and has a shell.
    PATH=$tools/act/bin:$PATH END_TO_END_IMAGE=$image END_TO_END_JOB_IMAGE=$base_image \
        cargo test --locked --test end-to-end -- --include-ignored
}

draw() {
    local render=$shared/tools/render-ticket.sh ticket
    if [[ ! -x $render ]]; then
        printf 'The tickets are in %s. There is no script to draw them.\n' "$tickets"
        return
    fi
    # GitHub's style names this font. Without it, digits become emoji.
    if [[ $EUID == 0 ]] && ! { has_font 'Noto Sans' && has_font 'Noto Color Emoji'; }; then
        apt_install fontconfig fonts-noto-core fonts-noto-color-emoji
    fi
    for ticket in "$tickets"/*.md; do
        NODE_DIR=$tools/render "$render" "$ticket" "${ticket%.md}.png"
        printf 'Picture of the ticket: %s\n' "${ticket%.md}.png"
    done
}

has_font() {
    [[ -n $(fc-list "$1" 2>/dev/null) ]]
}

check_folders
start_engine
get_base_image
build
install_act
play
draw
