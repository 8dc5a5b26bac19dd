#!/usr/bin/env bash
# release.sh COMMAND: the steps of a release that .github/workflows/release.yml runs.
#
#   check          refuses a release that is not ready, and prints the digest of its image if it has one
#   notes          prints the section of CHANGELOG.md for the version
#   verify         verifies the image as users do
#   tag            makes the release's commits and pushes their tag, vX.Y.Z
#   publish FILE…  publishes the release with these files
#   move-major     moves the tag vX to the release, unless it is at a newer one
#
# It runs at the root of a checkout with all tags. The variables VERSION, IMAGE, DIGEST and those of every runner
# describe the release; HEAD is its commit. Each command looks for the parts that exist and adds the missing ones, so that
# a second run continues a release that failed.
set -euo pipefail
shopt -s inherit_errexit

version=${VERSION:?} tag=v$VERSION major=v${VERSION%%.*}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fail WHAT HELP
fail() {
    printf 'error: %s\nhelp: %s\n' "$1" "$2" >&2
    exit 1
}

say() {
    printf '%s\n' "$*"
}

check() {
    [[ $version =~ ^(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}$ ]] ||
        fail "\`$version\` is not a version" 'it has three numbers and nothing else, as in 1.4.0'
    [[ $GITHUB_REF == refs/heads/main || $GITHUB_REF == refs/heads/maintenance/* ]] ||
        fail "$GITHUB_REF is not a branch for releases" 'start the workflow on main or on maintenance/…'
    check_versions
    check_ci
    environment_has_reviewers
    local digest
    digest=$(released_digest)
    printf 'digest=%s\n' "$digest" >>"$GITHUB_OUTPUT"
    say "$tag can be released from $(git rev-parse HEAD)${digest:+; its image is $digest}"
}

check_versions() {
    local cargo majors
    cargo=$(cargo metadata --no-deps --format-version 1 |
        jq --raw-output '.packages[] | select(.name == "release-ticket-action").version')
    [[ $cargo == "$version" ]] ||
        fail "Cargo.toml says $cargo, not $version" "commit a Cargo.toml and a Cargo.lock that say $version"
    notes >/dev/null
    majors=$(git grep -h --only-matching --extended-regexp "$GITHUB_REPOSITORY([^@ ]*@|/)v[0-9]+" HEAD -- \
        README.md docs examples .github | sed 's/.*[@/]//' | sort --unique)
    [[ $majors == "$major" ]] ||
        fail "README, docs, examples and workflows say @${majors//$'\n'/ and @}" "they should all say @$major"
}

notes() {
    local notes
    notes=$(awk -v heading="## [$version] - " '
        index($0, heading) == 1 { inside = 1; next }
        /^## / || /^\[[^]]*\]: / { inside = 0 }
        inside
    ' CHANGELOG.md)
    [[ $notes =~ [^[:space:]] ]] ||
        fail "CHANGELOG.md has nothing under \`## [$version] - DATE\`" 'describe there what changes for users'
    printf '%s\n' "$notes"
}

check_ci() {
    local run
    run=$(gh api --method GET "repos/$GITHUB_REPOSITORY/actions/workflows/ci.yml/runs" \
        --field head_sha="$(git rev-parse HEAD)" --field branch="${GITHUB_REF#refs/heads/}" --jq '
            [.workflow_runs[] | select(.event != "pull_request")][0]
            | if . == null then "none" else "\(.conclusion // .status): \(.html_url)" end')
    [[ $run == success:* ]] ||
        fail "CI is not green on this commit ($run)" 'release a commit on which its newest run succeeded'
}

# The first job that names a missing environment creates it, without reviewers.
environment_has_reviewers() {
    local environment
    environment=$(gh api "repos/$GITHUB_REPOSITORY/environments/release" \
        --jq '[.protection_rules[].type] | index("required_reviewers") != null' 2>"$work/error" || true)
    [[ $environment == true ]] ||
        fail "the environment \`release\` has no required reviewers $(<"$work/error")" \
            'set it up as CONTRIBUTING.md describes'
}

# Prints the digest of the image in the version's tag, or nothing if there is no tag.
released_digest() {
    local tag_commit digest
    tag_commit=$(git rev-parse --quiet --verify "refs/tags/$tag^{commit}" || true)
    [[ -n $tag_commit ]] || return 0
    digest=$(git cat-file blob "$tag_commit:action.yml" | sed --quiet "s|^  image: docker://$IMAGE@||p")
    [[ -n $digest && $(release_commit "$digest") == "$tag_commit" ]] ||
        fail "$tag exists, and is not a release of this commit" 'release another version'
    printf '%s' "$digest"
}

verify() {
    local predicate reference=$IMAGE@${DIGEST:?}
    # This job has not logged in, nor have the workflows of users.
    docker buildx imagetools inspect "$reference" >/dev/null ||
        fail "$reference cannot be pulled by everyone" 'make the package public, in its settings'
    for predicate in https://slsa.dev/provenance/v1 https://cyclonedx.org/bom; do
        gh attestation verify "oci://$reference" --repo "$GITHUB_REPOSITORY" --predicate-type "$predicate" \
            --signer-workflow "$GITHUB_REPOSITORY/.github/workflows/release.yml" \
            --source-digest "$(git rev-parse HEAD)" --deny-self-hosted-runners
    done
}

tag() {
    local commit tag_commit
    commit=$(release_commit "$DIGEST")
    tag_commit=$(git rev-parse --quiet --verify "refs/tags/$tag^{commit}" || true)
    if [[ -z $tag_commit ]]; then
        git push --quiet origin "$commit:refs/tags/$tag"
        git update-ref "refs/tags/$tag" "$commit" ''
        say "$tag is $commit"
    elif [[ $tag_commit == "$commit" ]]; then
        say "$tag is $commit already"
    else
        fail "$tag exists, and is $tag_commit, not this release" 'release another version'
    fi
}

# Prints the commit of the release with an image. The same HEAD and image always give the same commit.
#
# Two commits follow HEAD: the first names the image, and the second names the first in the reusable
# workflows, which cannot name the commit that they are in.
release_commit() {
    local digest=$1 action workflows commit unpinned
    action=$(commit_edit HEAD "Name the image of $tag" \
        "s|^  image: Dockerfile\$|  image: docker://$IMAGE@$digest|" action.yml)
    readarray -t workflows < <(git grep --name-only --fixed-strings "uses: $GITHUB_REPOSITORY@" HEAD -- \
        .github/workflows | sed 's/^HEAD://')
    [[ ${#workflows[@]} != 0 ]] ||
        fail "no workflow uses $GITHUB_REPOSITORY" 'the reusable workflows should use the action by that name'
    commit=$(commit_edit "$action" "Release $tag" \
        "s|(uses: $GITHUB_REPOSITORY)@.*\$|\1@$action # $tag|" "${workflows[@]}")
    unpinned=$(git grep --extended-regexp "uses:.*$GITHUB_REPOSITORY" "$commit" -- .github/workflows |
        grep --invert-match --fixed-strings "@$action #" || true)
    [[ -z $unpinned ]] ||
        fail "a workflow would not be pinned: ${unpinned#*:}" \
            "write \`uses: $GITHUB_REPOSITORY@…\` or \`uses: ./…\`"
    printf '%s' "$commit"
}

# commit_edit PARENT SUBJECT EXPRESSION FILE…: makes a commit on PARENT with the files as sed edits them, and prints it.
commit_edit() {
    local parent=$1 subject=$2 expression=$3 file before after date
    shift 3
    local -x GIT_INDEX_FILE=$work/index
    git read-tree "$parent"
    for file; do
        before=$(git rev-parse "$parent:$file")
        after=$(git cat-file blob "$before" | sed --regexp-extended "$expression" |
            git hash-object -w --stdin)
        [[ $after != "$before" ]] || fail "$file lacks the line that a release edits" "see the expressions of release.sh"
        git update-index --cacheinfo "100644,$after,$file"
    done
    date=$(git show --no-patch --format=%cI HEAD)
    local -x GIT_AUTHOR_NAME='github-actions[bot]' GIT_COMMITTER_NAME='github-actions[bot]'
    local -x GIT_AUTHOR_EMAIL='41898282+github-actions[bot]@users.noreply.github.com'
    local -x GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE=$date GIT_COMMITTER_DATE=$date
    git commit-tree -p "$parent" -m "$subject" "$(git write-tree)"
}

# A published release cannot change, so it is a draft until it is complete:
# https://docs.github.com/en/code-security/supply-chain-security/understanding-your-software-supply-chain/immutable-releases
#
# It has a tag and no `target_commitish`: a job's own token may not release a commit that changes workflows. https://docs.github.com/en/rest/releases/releases#create-a-release
publish() {
    local release latest
    release=$(find_release)
    if [[ -z $release ]]; then
        { notes && how_to_pin; } >"$work/notes.md"
        release=$(gh api "repos/$GITHUB_REPOSITORY/releases" --field tag_name="$tag" --field name="$version" \
            --field body=@"$work/notes.md" --field draft=true)
    fi
    if [[ $(field draft) == true ]]; then
        attach "$@"
        latest=$([[ $tag == "$(newest "$(git tag --list 'v*.*.*')")" ]] && echo true || echo false)
        release=$(gh api --method PATCH "repos/$GITHUB_REPOSITORY/releases/$(field id)" \
            --field draft=false --raw-field make_latest="$latest")
    fi
    [[ $(field immutable) == true ]] ||
        fail "$tag is published, and can still change" \
            'delete the release, switch on immutable releases in the settings, and run this again'
    say "published $(field html_url)"
}

# A published release comes first: a draft beside it is a remainder.
find_release() {
    gh api --paginate "repos/$GITHUB_REPOSITORY/releases?per_page=100" |
        jq --compact-output --arg tag "$tag" '.[] | select(.tag_name == $tag)' |
        jq --compact-output --slurp 'sort_by(.draft)[0] // empty'
}

# field NAME: prints a field of $release, a variable of the caller.
field() {
    jq --raw-output --arg name "$1" '.[$name]' <<<"$release"
}

attach() {
    local file name asset
    for file; do
        name=$(basename "$file")
        asset=$(jq --raw-output --arg name "$name" '
            .assets[] | select(.name == $name) | "\(.state) \(.url)"' <<<"$release")
        case $asset in
        'uploaded '*) continue ;;
        # An incomplete upload blocks the next one.
        ?*) gh api --method DELETE "${asset#* }" ;;
        esac
        gh api --method POST "$(field upload_url | sed 's/{.*//')?name=$name" --input "$file" \
            --header 'Content-Type: application/json' --silent
    done
}

how_to_pin() {
    cat <<NOTES

### Pin it

\`\`\`yaml
- uses: $GITHUB_REPOSITORY@$(git rev-parse "refs/tags/$tag^{commit}") # $tag
\`\`\`

That commit names the image \`$IMAGE@$DIGEST\`. [Pin and verify]($GITHUB_SERVER_URL/$GITHUB_REPOSITORY/blob/$tag/docs/guides/pin.md) says how to verify it.
NOTES
}

move_major() {
    local commit major_commit at
    commit=$(git rev-parse "refs/tags/$tag^{commit}")
    major_commit=$(git rev-parse --quiet --verify "refs/tags/$major^{commit}" || true)
    if [[ -n $major_commit ]]; then
        at=$(newest "$(git tag --points-at "$major_commit" --list "$major.*.*")")
        [[ -n $at ]] || fail "$major is at $major_commit, which is not a release" "move it to a release by hand"
        if [[ $(newest "$at" "$tag") == "$at" ]]; then
            say "$major stays at $at"
            return
        fi
    fi
    # The push moves the tag only if it is still at that commit.
    git push --quiet --force-with-lease="refs/tags/$major:$major_commit" origin "$commit:refs/tags/$major"
    git update-ref "refs/tags/$major" "$commit"
    say "$major moved to $tag"
}

newest() {
    printf '%s\n' "$@" | sort --version-sort | tail --lines=1
}

command=${1:-}
case $command in
check | notes | verify | tag | publish) "$@" ;;
move-major) move_major ;;
*) fail "release.sh has no command named \`$command\`" 'the comment at its top lists them' ;;
esac
