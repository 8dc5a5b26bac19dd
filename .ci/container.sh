#!/usr/bin/env bash
# container.sh SHARED: builds the image and runs it as a runner does, against the simulated GitHub.
#
# SHARED is a folder as .ci/docker.sh describes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

shared=$1
size_limit=6000000
# shellcheck source=.ci/docker.sh
source .ci/docker.sh

has_small_size() {
    local size
    size=$(docker image inspect --format '{{.Size}}' "$image")
    printf 'The image has %d bytes; %d are allowed.\n' "$size" "$size_limit"
    ((size <= size_limit)) || fail 'the image is too large'
}

is_static() {
    local container linked
    container=$(docker create "$image")
    docker cp "$container:/release-ticket-action" "$work/"
    docker rm "$container" >/dev/null
    linked=$(ldd "$work/release-ticket-action" 2>&1 || true)
    [[ $linked =~ 'statically linked'|'not a dynamic executable' ]] || fail "the binary is not static: $linked"
    printf 'The binary is static.\n'
}

lists_its_packages() {
    local platform
    platform=$(docker image inspect --format '{{.Architecture}}' "$image")
    .ci/release/image.sh sbom "$image" "$platform" >"$work/sbom.json"
    python3 - "$work/sbom.json" <<'PYTHON' || fail 'the binary does not list its packages'
import json, sys
packages = {package["name"] for package in json.load(open(sys.argv[1]))["components"]}
assert "octocrab" in packages, "a dependency is not named"
assert "proptest" not in packages, "a dependency of the tests is named"
print(f"The binary lists the {len(packages)} packages that it is built from.")
PYTHON
}

explains_itself() {
    local status=0 output
    output=$(docker run --rm "$image" 2>&1) || status=$?
    [[ $status == 2 ]] || fail "without inputs it exits with $status instead of 2: $output"
    [[ $output == *'is a GitHub Action'* ]] || fail "without inputs it does not explain itself: $output"
    printf 'Without inputs it explains itself and exits with 2.\n'
}

serve_github() {
    cat >"$work/world.yml" <<'WORLD'
repositories:
  acme/hub:
    members: { alice: OWNER }
    opened: [{ title: Release 1.4.0, author: alice }]
  acme/web: {}
tokens:
  report-token:
    acts_as: acme-release[bot]
    can: { acme/hub: ["issues: write"] }
WORLD
    cargo run --locked --package simulated-github -- serve --world "$work/world.yml" >"$work/url" &
    processes+=($!)
    until [[ -s $work/url ]]; do
        kill -0 $! 2>/dev/null || fail 'the simulated GitHub does not start'
        sleep 0.1
    done
}

# As a runner starts a container: https://github.com/actions/runner/blob/main/src/Runner.Worker/Handlers/ContainerActionHandler.cs
# run_step [OPTION…]
run_step() {
    local url folder mounts=()
    url=$(<"$work/url")
    for folder in file_commands home runner_temp workflow workspace; do
        mkdir -p "$work/$folder"
        mounts+=(--volume "$work/$folder:/github/$folder")
    done
    touch "$work"/file_commands/{output,state,summary}
    printf '{"inputs":{}}' >"$work/workflow/event.json"
    cat >"$work/environment" <<ENVIRONMENT
CI=true
GITHUB_ACTIONS=true
GITHUB_ACTOR=alice
GITHUB_API_URL=$url
GITHUB_EVENT_NAME=workflow_dispatch
GITHUB_EVENT_PATH=/github/workflow/event.json
GITHUB_JOB=release
GITHUB_OUTPUT=/github/file_commands/output
GITHUB_REF=refs/heads/main
GITHUB_REPOSITORY=acme/web
GITHUB_REPOSITORY_OWNER=acme
GITHUB_RUN_ATTEMPT=1
GITHUB_RUN_ID=1
GITHUB_SERVER_URL=$url
GITHUB_STATE=/github/file_commands/state
GITHUB_STEP_SUMMARY=/github/file_commands/summary
GITHUB_WORKFLOW=Release
GITHUB_WORKSPACE=/github/workspace
HOME=/github/home
INPUT_DRY-RUN=false
INPUT_MESSAGE=
INPUT_MODE=report
INPUT_STAGE=publish
INPUT_STATUS=success
INPUT_TICKET=acme/hub#1
INPUT_TOKEN=report-token
RUNNER_TEMP=/github/runner_temp
ENVIRONMENT
    docker run --rm --network host --workdir /github/workspace --env-file "$work/environment" \
        "${mounts[@]}" "$@" "$image"
}

# As a runner starts the post step at the end of a job.
run_post_step() {
    run_step --entrypoint "$(sed -n 's/^  post-entrypoint: //p' action.yml)" "$@"
}

reports() {
    serve_github
    run_step || fail "a report ends with exit code $?"
    local story output
    story=$(ask story)
    [[ $story =~ 'acme/hub#1  comment '[0-9]+' added' ]] || fail "a report adds no comment: $story"
    printf 'A report reaches its ticket:\n%s\n' "$story"
    output=$(run_post_step 2>&1) || fail "the post step of a report ends with exit code $?: $output"
    [[ -z $output && $(ask story) == "$story" ]] || fail "the post step of a report does something: $output"
    printf 'Its post step does nothing.\n'
}

tracks() {
    local state
    run_step --env INPUT_TRACK=true --env INPUT_STAGE=tracked || fail "a tracking step ends with exit code $?"
    # NAME<<DELIMITER, the value, DELIMITER
    mapfile -t state <"$work/file_commands/state"
    [[ ${state[0]} == 'tracks<<'* && ${#state[@]} == 3 ]] || fail "a tracking step leaves: ${state[*]}"
    run_post_step --env INPUT_TRACK=true --env INPUT_STATUS=failure --env "STATE_tracks=${state[1]}" ||
        fail "the post step of a tracking step ends with exit code $?"
    [[ $(ask issues/acme/hub/1) == *'"stage":"tracked","status":"failure"'* ]] ||
        fail "the end of a tracked job is not on the ticket: $(ask issues/acme/hub/1)"
    printf 'A tracked job reports its end.\n'
}

# ask PAGE: prints a page of the simulated GitHub about itself.
ask() {
    python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())' \
        "$(<"$work/url")/_simulation/$1"
}

start_engine
get_base_image
build
has_small_size
is_static
lists_its_packages
explains_itself
reports
tracks
