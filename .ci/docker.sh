# A Docker engine, and the action's image in it. Other scripts source this file at the project's root.
#
# If no engine runs, start_engine starts one, which ends with the script. `shared`, if it is set, is a folder that may
# contain tools/make-rust-image.sh, for machines that cannot pull the Dockerfile's base image. The processes in
# `processes` end with the script, too.
# shellcheck shell=bash

image=release-ticket-action:$(basename "$0" .sh)
base_image=$(sed -n 's/^FROM \(.*\) AS build$/\1/p' Dockerfile)
work=$(mktemp -d)
processes=()

clean_up() {
    local process
    for process in "${processes[@]}"; do
        kill "$process" && wait "$process" || true
    done 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT

# Debian's own client, if it is installed: it builds with BuildKit without a plugin.
docker() {
    DOCKER_BUILDKIT=1 PATH=/usr/bin:$PATH command docker "$@"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

start_engine() {
    ! docker info >/dev/null 2>&1 || return 0
    [[ -x /usr/sbin/dockerd ]] || apt_install docker.io
    /usr/sbin/dockerd >"$work/dockerd.log" 2>&1 &
    processes+=($!)
    until docker info >/dev/null 2>&1; do
        kill -0 $! 2>/dev/null || fail "the Docker engine does not start: $(tail -n 3 "$work/dockerd.log")"
        sleep 0.5
    done
}

apt_install() {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@" >/dev/null
}

get_base_image() {
    local stand_in=${shared:-}/tools/make-rust-image.sh
    ! docker image inspect "$base_image" >/dev/null 2>&1 || return 0
    if [[ -x $stand_in ]]; then
        # The image made here has another digest, or none.
        base_image=${base_image%@*}
        ! docker image inspect "$base_image" >/dev/null 2>&1 || return 0
        command -v mmdebstrap >/dev/null || apt_install mmdebstrap
        "$stand_in" "$base_image"
    else
        docker pull --quiet "$base_image"
    fi
}

build() {
    # The build reaches the crate registry by the network of this machine.
    sed "s|^FROM .* AS build\$|FROM $base_image AS build|" Dockerfile |
        docker build --network host --tag "$image" --file - .
}
