#!/usr/bin/env bash
# test.sh: tests release.sh in scratch repositories, with GitHub's own command line client, gh, against github.py. It does
# not test the image and the attestations.

# Backquotes in single quotes are Markdown here, not commands.
# shellcheck disable=SC2016
set -euo pipefail
shopt -s inherit_errexit

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
scratch=$(mktemp -d)
github=
trap 'stop_github; rm -rf "$scratch"' EXIT

export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=alice GIT_AUTHOR_EMAIL=alice@example.com
export GIT_COMMITTER_NAME=alice GIT_COMMITTER_EMAIL=alice@example.com
export GH_TOKEN=token GH_CONFIG_DIR=$scratch/gh GH_NO_UPDATE_NOTIFIER=1
export GITHUB_SERVER_URL=https://github.com
export GITHUB_REPOSITORY=org/release-ticket-action IMAGE=ghcr.io/org/release-ticket-action
export GITHUB_OUTPUT=$scratch/output
gh config set http_unix_socket "$scratch/socket"

image_of_1_4_0=sha256:$(printf '14%.0s' {1..32})
other_image=sha256:$(printf '0f%.0s' {1..32})

# --- The world: a repository on GitHub, and a person's checkout of it.

new_world() {
    world=$(mktemp -d -p "$scratch")
    state=$world/state.json
    git init --quiet --bare --initial-branch main "$world/origin.git"
    git clone --quiet "$world/origin.git" "$world/work" 2>/dev/null
    cd "$world/work"
    mkdir -p src .github/workflows
    touch src/lib.rs
    printf 'runs:\n  using: docker\n  image: Dockerfile\n' >action.yml
    printf 'Write `uses: org/release-ticket-action@v1`.\n' >README.md
    printf 'steps:\n  - uses: actions/checkout@3d3c42e # v7\n' >.github/workflows/ci.yml
    printf 'steps:\n  - uses: org/release-ticket-action@v1\n    with: { mode: %s }\n' dispatch \
        >.github/workflows/dispatch.yml
    printf 'steps:\n  - uses: org/release-ticket-action@v1\n    with: { mode: %s }\n' report \
        >.github/workflows/finish.yml
    jq --null-input '{
        runs: [], environments: {release: ["required_reviewers"]}, immutable: true, releases: [], writes: 0
    }' >"$state"
    start_github
    prepare 1.4.0 'Waiting for the targets.'
}

start_github() {
    stop_github
    rm -f "$scratch/socket"
    python3 "$here/github.py" "$scratch/socket" "$state" &
    github=$!
    until [[ -S $scratch/socket ]]; do sleep 0.02; done
}

stop_github() {
    [[ -z $github ]] || { kill "$github" && wait "$github"; } 2>/dev/null || true
    github=
}

# prepare VERSION NOTE: commits and pushes the files that a release needs, and lets CI succeed.
prepare() {
    printf '[package]\nname = "release-ticket-action"\nversion = "%s"\n' "$1" >Cargo.toml
    {
        printf '# Changelog\n\n## [Unreleased]\n\n## [%s] - 2026-11-25\n\n### Added\n\n- %s\n' "$1" "$2"
        [[ ! -f CHANGELOG.md ]] || sed '1,/^## \[Unreleased\]$/d' CHANGELOG.md
    } >"$world/changelog"
    mv "$world/changelog" CHANGELOG.md
    commit "Prepare $1"
}

commit() {
    git add --all
    git commit --quiet --message "$1"
    git push --quiet origin HEAD
    ci_ends completed success push
}

# ci_ends STATUS CONCLUSION EVENT
ci_ends() {
    change --arg status "$1" --arg conclusion "$2" --arg event "$3" \
        --arg sha "$(git rev-parse HEAD)" --arg branch "$(git branch --show-current)" '
        .runs = [{
            head_sha: $sha, head_branch: $branch, event: $event, status: $status,
            conclusion: (if $conclusion == "" then null else $conclusion end),
            html_url: "https://github.com/org/release-ticket-action/actions/runs/\(.runs | length)"
        }] + .runs'
}

change() {
    jq "$@" "$state" >"$state.new"
    mv "$state.new" "$state"
}

# --- The release, as release.yml runs it: each job in a checkout of its own.

checkout() {
    rm -rf "$world/job"
    git clone --quiet --branch "$(git branch --show-current)" "$world/origin.git" "$world/job"
}

# step VERSION DIGEST COMMAND [ARGUMENT…]
step() (
    export VERSION=$1 DIGEST=$2
    shift 2
    GITHUB_REF=refs/heads/$(git branch --show-current)
    export GITHUB_REF
    cd "$world/job"
    "$here/release.sh" "$@"
) >>"$world/log" 2>&1

# release VERSION DIGEST
release() {
    local version=$1 digest=$2 file files=()
    checkout
    : >"$GITHUB_OUTPUT"
    step "$version" '' check || return
    check_digest=$(sed --quiet 's/^digest=//p' "$GITHUB_OUTPUT")
    digest=${check_digest:-$digest}
    for file in amd64 arm64; do
        printf '{"of": "%s", "for": "%s"}' "$digest" "$file" >"$world/$file.cdx.json"
        files+=("$world/$file.cdx.json")
    done
    checkout
    step "$version" "$digest" tag && step "$version" "$digest" publish "${files[@]}" &&
        step "$version" "$digest" move-major
}

# --- Assertions.

is() {
    [[ $1 == "$2" ]] || explain "expected: $2" "found:    $1"
}

# refuses VERSION WORDS
refuses() {
    : >"$world/log"
    checkout
    ! step "$1" '' check || explain "expected that $1 is refused"
    [[ $(<"$world/log") == *"$2"* ]] || explain "expected the words: $2" "found: $(<"$world/log")"
}

explain() {
    printf '    %s\n' "$@" >&2
    sed 's/^/    | /' "$world/log" >&2
    exit 1
}

tags() {
    git ls-remote --tags "$world/origin.git" | awk '{ sub("refs/tags/", "", $2); print $2, $1 }'
}

at() {
    git -C "$world/origin.git" rev-parse --verify --quiet "$1^{commit}" || echo nothing
}

file_at() {
    git -C "$world/origin.git" cat-file blob "$1"
}

releases() {
    jq --compact-output '
        [.releases[] | {tag_name, draft, immutable, assets: [.assets[].name], make_latest}]' "$state"
}

published_release='{"tag_name":"v1.4.0","draft":false,"immutable":true,'
published_release+='"assets":["amd64.cdx.json","arm64.cdx.json"],"make_latest":"true"}'

# --- The tests.

test_the_tag_pins_the_image_and_the_reusable_workflows() {
    local before
    before=$(at main)
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'

    local pins_the_image
    pins_the_image=$(at v1.4.0~1)
    is "$(file_at v1.4.0:action.yml | tail -n 1)" "  image: docker://$IMAGE@$image_of_1_4_0"
    for workflow in dispatch finish; do
        is "$(file_at "v1.4.0:.github/workflows/$workflow.yml" | sed -n 2p)" \
            "  - uses: org/release-ticket-action@$pins_the_image # v1.4.0"
    done
    is "$(file_at "$pins_the_image:action.yml")" "$(file_at v1.4.0:action.yml)"
    is "$(at v1.4.0~2)" "$before"
    is "$(git -C "$world/origin.git" diff --name-only main v1.4.0 | tr '\n' ' ')" \
        '.github/workflows/dispatch.yml .github/workflows/finish.yml action.yml '
    is "$(at v1)" "$(at v1.4.0)"
}

test_the_branch_stays_as_it_is() {
    local before
    before=$(at main)
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'
    is "$(at main)" "$before"
    is "$(git -C "$world/origin.git" for-each-ref --format='%(refname)' | tr '\n' ' ')" \
        'refs/heads/main refs/tags/v1 refs/tags/v1.4.0 '
}

test_the_release_is_published_with_its_files_and_notes() {
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'
    is "$(releases)" "[$published_release]"
    local body
    body=$(jq --raw-output '.releases[0].body' "$state")
    [[ $body == *'- Waiting for the targets.'*"uses: org/release-ticket-action@$(at v1.4.0) # v1.4.0"* ]] ||
        explain "the notes do not say it: $body"
    [[ $body == *'/org/release-ticket-action/blob/v1.4.0/docs/guides/pin.md)'* ]] ||
        explain "the notes do not say how to verify: $body"
    [[ $body != *'[Unreleased]'* && $body != *'[1.4.0]'* ]] || explain "the notes have a heading: $body"
}

test_a_second_run_repeats_nothing() {
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'
    local tags_before state_before
    tags_before=$(tags) state_before=$(<"$state")
    release 1.4.0 "$other_image" || explain 'the second run failed'
    is "$check_digest" "$image_of_1_4_0"
    is "$(tags)" "$tags_before"
    is "$(<"$state")" "$state_before"
}

test_a_run_that_failed_at_any_request_is_finished_by_the_next() {
    local when write tags_before
    for when in before after; do
        for write in 1 2 3 4; do
            new_world
            printf '%s %s' "$write" "$when" >"$state.fault"
            ! release 1.4.0 "$image_of_1_4_0" || explain "write $write did not fail"
            is "$(at v1)" nothing
            tags_before=$(tags)
            release 1.4.0 "$other_image" || explain "the run after write $write failed $when failed, too"
            is "$(releases)" "[$published_release]"
            is "$(tags | grep 'v1\.4\.0')" "$tags_before"
            is "$(at v1)" "$(at v1.4.0)"
        done
    done
}

test_a_run_whose_push_failed_is_finished_by_the_next() {
    local hook=$world/origin.git/hooks/pre-receive tag_ref
    for tag_ref in refs/tags/v1.4.0 refs/tags/v1; do
        new_world
        hook=$world/origin.git/hooks/pre-receive
        printf '#!/bin/sh\n! grep -q " %s$"\n' "$tag_ref" >"$hook"
        chmod +x "$hook"
        ! release 1.4.0 "$image_of_1_4_0" || explain "the push of $tag_ref did not fail"
        is "$(at v1)" nothing
        rm "$hook"
        release 1.4.0 "$image_of_1_4_0" || explain 'the second run failed'
        is "$(releases)" "[$published_release]"
        is "$(at v1)" "$(at v1.4.0)"
    done
}

test_an_incomplete_upload_is_sent_again() {
    printf '3 before' >"$state.fault"
    ! release 1.4.0 "$image_of_1_4_0" || explain 'the upload did not fail'
    change '.releases[0].assets[0].state = "starter"'
    release 1.4.0 "$image_of_1_4_0" || explain 'the second run failed'
    is "$(jq --compact-output '[.releases[].assets[] | [.name, .state]]' "$state")" \
        '[["amd64.cdx.json","uploaded"],["arm64.cdx.json","uploaded"]]'
}

test_an_older_version_moves_neither_the_major_tag_nor_the_latest_release() {
    git switch --quiet --create maintenance/1.3
    git push --quiet origin HEAD
    git switch --quiet main
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'

    git switch --quiet maintenance/1.3
    prepare 1.3.10 'A repair of what is old.'
    release 1.3.10 "$other_image" || explain 'the release of the older version failed'
    is "$(at v1)" "$(at v1.4.0)"
    is "$(file_at v1.3.10:action.yml | tail -n 1)" "  image: docker://$IMAGE@$other_image"
    is "$(jq --compact-output '[.releases[] | [.tag_name, .make_latest]]' "$state")" \
        '[["v1.4.0","true"],["v1.3.10","false"]]'

    git switch --quiet main
    release 1.4.0 "$other_image" || explain 'a second run of the newer version failed'
    is "$(jq '.releases | length' "$state")" 2
    prepare 1.10.0 'More.'
    release 1.10.0 "$other_image" || explain 'the release of the newer version failed'
    is "$(at v1)" "$(at v1.10.0)"
}

test_each_major_version_has_its_tag() {
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'
    sed -i 's/@v1/@v2/' README.md .github/workflows/{dispatch,finish}.yml
    prepare 2.0.0 'Other inputs.'
    release 2.0.0 "$other_image" || explain 'the release of the next major version failed'
    is "$(at v1)" "$(at v1.4.0)"
    is "$(at v2)" "$(at v2.0.0)"
}

test_a_major_tag_that_somebody_else_moved_is_left_alone() {
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'
    prepare 1.5.0 'More.'
    checkout
    step 1.5.0 "$other_image" tag || explain 'the tag failed'
    git -C "$world/origin.git" update-ref refs/tags/v1 "$(at main)"
    ! step 1.5.0 "$other_image" move-major || explain 'v1 was moved'
    is "$(at v1)" "$(at main)"
}

test_a_major_tag_at_another_commit_is_left_alone() {
    git push --quiet origin HEAD:refs/tags/v1
    ! release 1.4.0 "$image_of_1_4_0" || explain 'v1 was moved'
    is "$(at v1)" "$(at main)"
}

test_a_release_that_can_still_change_does_not_get_the_major_tag() {
    change '.immutable = false'
    ! release 1.4.0 "$image_of_1_4_0" || explain 'the release succeeded'
    is "$(at v1)" nothing
    [[ $(<"$world/log") == *'switch on immutable releases'* ]] || explain 'it does not say what to do'
}

test_a_version_belongs_to_one_commit() {
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'
    touch more
    commit 'Do more'
    refuses 1.4.0 'v1.4.0 exists, and is not a release of this commit'
}

test_a_tag_made_by_hand_is_not_a_release() {
    git push --quiet origin HEAD:refs/tags/v1.4.0
    refuses 1.4.0 'v1.4.0 exists, and is not a release of this commit'
}

test_the_same_commit_with_another_image_is_not_a_release() {
    release 1.4.0 "$image_of_1_4_0" || explain 'the release failed'
    checkout
    ! step 1.4.0 "$other_image" tag || explain 'it succeeded'
    is "$(file_at v1.4.0:action.yml | tail -n 1)" "  image: docker://$IMAGE@$image_of_1_4_0"
}

test_a_workflow_that_would_not_be_pinned_is_refused() {
    local reference
    for reference in '"org/release-ticket-action@v1"' \
        org/release-ticket-action/.github/workflows/finish.yml@v1; do
        printf 'steps:\n  - uses: %s\n' "$reference" >.github/workflows/other.yml
        commit 'Use it otherwise'
        checkout
        ! step 1.4.0 "$image_of_1_4_0" tag || explain "$reference was not refused"
        is "$(tags)" ''
        [[ $(<"$world/log") == *"$reference"* ]] || explain "it does not name $reference"
    done
}

test_a_release_that_is_not_ready_is_refused() {
    refuses v1.4.0 '`v1.4.0` is not a version'
    refuses 1.4 '`1.4` is not a version'
    refuses 1.04.0 '`1.04.0` is not a version'
    refuses 1.4.0-rc.1 '`1.4.0-rc.1` is not a version'
    refuses '1.4.0; id' 'is not a version'
    refuses 1.5.0 'Cargo.toml says 1.4.0, not 1.5.0'

    git switch --quiet --create feature
    commit_empty
    refuses 1.4.0 'refs/heads/feature is not a branch for releases'
    git switch --quiet main

    ci_ends completed failure schedule
    refuses 1.4.0 'CI is not green on this commit (failure: https://'
    ci_ends in_progress '' push
    refuses 1.4.0 'CI is not green on this commit (in_progress: https://'
    change '.runs = []'
    refuses 1.4.0 'CI is not green on this commit (none)'
    ci_ends completed success pull_request
    refuses 1.4.0 'CI is not green on this commit (none)'
    ci_ends completed success push

    change '.environments.release = ["branch_policy"]'
    refuses 1.4.0 'the environment `release` has no required reviewers'
    change '.environments = {}'
    refuses 1.4.0 'the environment `release` has no required reviewers'
    change '.environments.release = ["branch_policy", "required_reviewers"]'

    mkdir examples
    printf 'uses: org/release-ticket-action/.github/workflows/finish.yml@v0\n' >examples/hub.yml
    commit 'Confuse people'
    refuses 1.4.0 'README, docs, examples and workflows say @v0 and @v1'
    printf 'https://raw.githubusercontent.com/org/release-ticket-action/v2/schema.json\n' >examples/hub.yml
    commit 'Confuse editors'
    refuses 1.4.0 'README, docs, examples and workflows say @v1 and @v2'
    rm -r examples
    mkdir docs
    printf 'uses: org/release-ticket-action@v3\n' >docs/guide.md
    commit 'Confuse readers'
    refuses 1.4.0 'README, docs, examples and workflows say @v1 and @v3'
    rm -r docs
    printf '# Changelog\n\n## [1.4.0] - 2026-11-25\n\n## [1.3.0] - 2026-10-01\n\n- Old.\n' >CHANGELOG.md
    commit 'Say nothing'
    refuses 1.4.0 'CHANGELOG.md has nothing under `## [1.4.0] - DATE`'
    printf '# Changelog\n\n## [1.4.0]\n\n- New, some day.\n' >CHANGELOG.md
    commit 'Give no date'
    refuses 1.4.0 'CHANGELOG.md has nothing under `## [1.4.0] - DATE`'
    is "$(tags)" ''
    is "$(jq .writes "$state")" 0
}

commit_empty() {
    git commit --quiet --allow-empty --message 'Try something'
    git push --quiet origin HEAD
    ci_ends completed success push
}

# --- Runs the tests, or those that are named.

pass_count=0 fail_count=0
tests=("$@")
[[ $# != 0 ]] || readarray -t tests < <(compgen -A function test_)
for test in "${tests[@]}"; do
    name=${test#test_}
    # Not as a condition: in a condition the shell goes on after a failure.
    set +e
    (
        set -e
        trap stop_github EXIT
        new_world
        "$test"
    )
    result=$?
    set -e
    if [[ $result == 0 ]]; then
        pass_count=$((pass_count + 1))
        printf 'ok      %s\n' "${name//_/ }"
    else
        fail_count=$((fail_count + 1))
        printf 'FAILED  %s\n' "${name//_/ }"
    fi
done
printf '%d passed, %d failed\n' "$pass_count" "$fail_count"
[[ $fail_count == 0 ]]
