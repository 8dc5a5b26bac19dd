#!/usr/bin/env bash
# rehearsal.sh FOLDER: rehearses mistakes of people, a release that begins with a form, and the boards that the
# documentation shows. FOLDER is for the pages and the boards.
# shellcheck disable=SC2016 # messages quote with backticks
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1
request=examples/workflows/release-request/.github

rehearse() {
    # Without a refusal, `--serve` would never end.
    timeout 300 cargo run --quiet --locked --example rehearse -- "$@" 2>&1
}

# expect_refusal TEXT… -- OPTION…: asserts that the rehearsal is refused with all these texts.
expect_refusal() {
    local texts=() output status=0
    while [[ $1 != -- ]]; do
        texts+=("$1")
        shift
    done
    shift
    output=$(rehearse "$@") || status=$?
    [[ $status == 1 ]] || fail "$* ends with $status: $output"
    local text
    for text in "${texts[@]}"; do
        [[ $output == *"$text"* ]] || fail "$* does not say \"$text\": $output"
    done
    [[ $output != *'::'* && $output != *'%0A'* ]] || fail "$* shows a command that only a runner should read: $output"
    printf 'Refused: %s\n' "${texts[0]}"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

rm -rf "$folder"
mkdir -p "$folder"
expect_refusal 'error: `/` is a folder' 'help: name the file in it, such as `--out /ticket.html`' -- --out /
expect_refusal '`/dev/null/ticket.html` cannot be written' 'help: name another file with `--out FILE`' -- \
    --out /dev/null/ticket.html
expect_refusal 'no file can be written in the folder `/dev/null/boards`' 'help: name another folder with `--boards FOLDER`' -- \
    --boards /dev/null/boards
expect_refusal 'help: `--help` lists the options' -- --sirve

targets=$folder/targets.yml
printf '%s\n' 'defaults: { workflow: release.yml, inputs: { channel: "{{ inputs.chanel }}" } }' \
    'targets: [acme/web]' >"$targets"
expect_refusal 'the template `{{ inputs.chanel }}` does not render' '--input NAME=VALUE' -- \
    --targets "$targets" --out "$folder/refused.html"

python3 -c 'import socket, time
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
time.sleep(600)' >"$folder/port" &
trap 'kill $!' EXIT
until [[ -s $folder/port ]]; do sleep 0.1; done
port=$(<"$folder/port")
expect_refusal "port $port of this machine cannot be used" 'give another `--port`' -- --serve --port "$port"

expect_refusal 'cannot be answered with `gamma`; it takes `stable`, `beta`' '--answer' -- \
    --form $request/ISSUE_TEMPLATE/release.yml --answer Channel=gamma
output=$(rehearse --out "$folder/request.html" --targets $request/release-targets.yml \
    --form $request/ISSUE_TEMPLATE/release.yml --answer Version=2.0.0 --answer Targets=web) || fail "$output"
for text in 'asks for release 2.0.0' '1 of 1 released' 'tracked  publish  ❌ failure' \
    'the board says: web failed at `publish`: step 3, Upload to the registry' \
    'it explains where it failed: nightly failed in step 2' 'it explains since when: First red since run 2' \
    'it explains why: error: no mirror' 'it explains what changed: Test on ARM'; do
    [[ $output == *"$text"* ]] || fail "the rehearsal does not say \"$text\": $output"
done
printf 'A release begins with a form.\n'

output=$(rehearse --out "$folder/ticket.html" --boards "$folder/boards") || fail "$output"
.ci/boards.py docs/pictures "$folder/boards"
