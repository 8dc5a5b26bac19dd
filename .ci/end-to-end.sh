#!/usr/bin/env bash
# end-to-end.sh [SHARED]: plays the workflows of the documentation in a runner on this machine, with the action's
# image, against the simulated GitHub.
#
# It needs Linux, Rust and Python, and a Docker engine or root on Debian. SHARED is a folder as
# .ci/docker.sh describes it; where it has tools/render-ticket.sh, too, the tickets are drawn.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

shared=${1:-}
tools=$PWD/target/ci
tickets=${CARGO_TARGET_DIR:-target}/tmp/end-to-end
# shellcheck source=.ci/docker.sh
source .ci/docker.sh

# The runner's folder for temporary files is /tmp, here and in each container, and the two are not the same.
lies_elsewhere() {
    local folder
    for folder in "$PWD" "${CARGO_TARGET_DIR:-$PWD}"; do
        folder=$(realpath --canonicalize-missing "$folder")
        [[ $folder/ != /tmp/* ]] || fail "$folder is below /tmp, which the runner, act, takes for its own files: \
what the steps write there is lost. Clone the project into another folder, and leave CARGO_TARGET_DIR outside of /tmp too"
    done
}

install_act() {
    python3 -m venv "$tools/act"
    "$tools/act/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        --requirement .ci/requirements-act.txt
}

play() {
    rm -rf "$tickets"
    # The base image of the build serves `run:` steps as well: it is here, and has a shell.
    PATH=$tools/act/bin:$PATH END_TO_END_IMAGE=$image END_TO_END_JOB_IMAGE=$base_image \
        cargo test --locked --test end-to-end -- --include-ignored
}

draw() {
    local render=$shared/tools/render-ticket.sh ticket
    if [[ ! -x $render ]]; then
        printf 'The tickets are in %s. They are not drawn: the script for it is not here.\n' "$tickets"
        return
    fi
    # GitHub's style asks for this font. Where it is missing, digits are drawn as emoji.
    if [[ $EUID == 0 ]] && ! { has_font 'Noto Sans' && has_font 'Noto Color Emoji'; }; then
        apt_install fontconfig fonts-noto-core fonts-noto-color-emoji
    fi
    for ticket in "$tickets"/*.md; do
        NODE_DIR=$tools/render "$render" "$ticket" "${ticket%.md}.png"
        printf 'The ticket is drawn: %s\n' "${ticket%.md}.png"
    done
}

has_font() {
    [[ -n $(fc-list "$1" 2>/dev/null) ]]
}

lies_elsewhere
start_engine
get_base_image
build
install_act
play
draw
