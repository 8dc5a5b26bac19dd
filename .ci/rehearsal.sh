#!/usr/bin/env bash
# rehearsal.sh FOLDER: rehearses what people get wrong, and a release that is asked for with a form. FOLDER is for
# the pages.
# shellcheck disable=SC2016 # messages quote with backticks
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$1
request=examples/workflows/release-request/.github

rehearse() {
    # One that is not refused would serve for ever.
    timeout 300 cargo run --quiet --locked --example rehearse -- "$@" 2>&1
}

# refused EXPECTED… -- OPTION…: the rehearsal is refused, and says all that is expected.
refused() {
    local expected=() said status=0
    while [[ $1 != -- ]]; do
        expected+=("$1")
        shift
    done
    shift
    said=$(rehearse "$@") || status=$?
    [[ $status == 1 ]] || fail "$* ends with $status: $said"
    local text
    for text in "${expected[@]}"; do
        [[ $said == *"$text"* ]] || fail "$* does not say \"$text\": $said"
    done
    [[ $said != *'::'* && $said != *'%0A'* ]] || fail "$* shows what only a runner should read: $said"
    printf 'Refused: %s\n' "${expected[0]}"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

rm -rf "$folder"
mkdir -p "$folder"
refused 'error: `/` is a folder' 'help: name the file in it, such as `--out /ticket.html`' -- --out /
refused '`/dev/null/ticket.html` cannot be written' 'help: name another file with `--out FILE`' -- \
    --out /dev/null/ticket.html
refused 'help: `--help` lists the options' -- --sirve

targets=$folder/targets.yml
printf '%s\n' 'defaults: { workflow: release.yml, inputs: { channel: "{{ inputs.chanel }}" } }' \
    'targets: [acme/web]' >"$targets"
refused 'the template `{{ inputs.chanel }}` does not render' '--input NAME=VALUE' -- \
    --targets "$targets" --out "$folder/refused.html"

python3 -c 'import socket, time
taken = socket.create_server(("127.0.0.1", 0))
print(taken.getsockname()[1], flush=True)
time.sleep(600)' >"$folder/port" &
trap 'kill $!' EXIT
until [[ -s $folder/port ]]; do sleep 0.1; done
port=$(<"$folder/port")
refused "port $port of this machine cannot be used" 'give another `--port`' -- --serve --port "$port"

refused 'cannot be answered with `gamma`; it takes `stable`, `beta`' '--answer' -- \
    --form $request/ISSUE_TEMPLATE/release.yml --answer Channel=gamma
said=$(rehearse --out "$folder/request.html" --targets $request/release-targets.yml \
    --form $request/ISSUE_TEMPLATE/release.yml --answer Version=2.0.0 --answer Targets=web) || fail "$said"
for text in 'asks for release 2.0.0' '1 of 1 released' 'tracked  publish  ❌ failure' \
    'the board says: web failed at `publish`: step 3, Upload to the registry' \
    'it explains where it failed: nightly failed in step 2' 'it explains since when: First red since run 2' \
    'it explains why: error: no mirror' 'it explains what changed: Test on ARM'; do
    [[ $said == *"$text"* ]] || fail "the rehearsal does not say \"$text\": $said"
done
printf 'A release is asked for with a form.\n'
