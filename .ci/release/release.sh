#!/usr/bin/env bash
# release.sh COMMAND: the steps of a release that .github/workflows/release.yml runs.
#
#   check          refuses a release that is not ready, and tells the digest of an image that it has already
#   notes          prints what CHANGELOG.md says of the version
#   verify         verifies the image as users do
#   tag            makes the release's commits and pushes their tag, vX.Y.Z
#   publish FILE…  publishes the release with these files
#   move-major     moves the tag vX to the release, unless a newer one has it
#
# It runs at the root of a checkout that has all tags. The variables VERSION, IMAGE, DIGEST and those of
# every runner say what is released; HEAD is the commit. Each command looks for what is there and adds
# what is missing, so that a release which failed in its middle is started again and goes on.
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
        fail "\`$version\` is no version" 'it has three numbers and nothing else, as in 1.4.0'
    [[ $GITHUB_REF == refs/heads/main || $GITHUB_REF == refs/heads/maintenance/* ]] ||
        fail "$GITHUB_REF is no branch to release from" 'start the workflow on main or on maintenance/…'
    versions_agree
    ci_is_green
    somebody_approves
    local digest
    digest=$(released_digest)
    printf 'digest=%s\n' "$digest" >>"$GITHUB_OUTPUT"
    say "$tag can be released from $(git rev-parse HEAD)${digest:+; its image is $digest}"
}

versions_agree() {
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
        fail "CHANGELOG.md has nothing under \`## [$version] - DATE\`" 'say there what changes for users'
    printf '%s\n' "$notes"
}

ci_is_green() {
    local run
    run=$(gh api --method GET "repos/$GITHUB_REPOSITORY/actions/workflows/ci.yml/runs" \
        --field head_sha="$(git rev-parse HEAD)" --field branch="${GITHUB_REF#refs/heads/}" --jq '
            [.workflow_runs[] | select(.event != "pull_request")][0]
            | if . == null then "none" else "\(.conclusion // .status): \(.html_url)" end')
    [[ $run == success:* ]] ||
        fail "CI is not green on this commit ($run)" 'release a commit on which its newest run succeeded'
}

# An environment that does not exist is made by the first job that names it, and asks nobody.
somebody_approves() {
    local environment
    environment=$(gh api "repos/$GITHUB_REPOSITORY/environments/release" \
        --jq '[.protection_rules[].type] | index("required_reviewers") != null' 2>"$work/error" || true)
    [[ $environment == true ]] ||
        fail "the environment \`release\` has no required reviewers $(<"$work/error")" \
            'set it up as CONTRIBUTING.md says'
}

# Prints the digest of the image in the version's tag, or nothing where there is no tag.
released_digest() {
    local tagged digest
    tagged=$(git rev-parse --quiet --verify "refs/tags/$tag^{commit}" || true)
    [[ -n $tagged ]] || return 0
    digest=$(git cat-file blob "$tagged:action.yml" | sed --quiet "s|^  image: docker://$IMAGE@||p")
    [[ -n $digest && $(release_commit "$digest") == "$tagged" ]] ||
        fail "$tag exists, and is not a release of this commit" 'release another version'
    printf '%s' "$digest"
}

verify() {
    local predicate reference=$IMAGE@${DIGEST:?}
    # Nobody has logged in here, as nobody has where users' workflows run.
    docker buildx imagetools inspect "$reference" >/dev/null ||
        fail "$reference cannot be pulled by everyone" 'make the package public, in its settings'
    for predicate in https://slsa.dev/provenance/v1 https://cyclonedx.org/bom; do
        gh attestation verify "oci://$reference" --repo "$GITHUB_REPOSITORY" --predicate-type "$predicate" \
            --signer-workflow "$GITHUB_REPOSITORY/.github/workflows/release.yml" \
            --source-digest "$(git rev-parse HEAD)" --deny-self-hosted-runners
    done
}

tag() {
    local commit tagged
    commit=$(release_commit "$DIGEST")
    tagged=$(git rev-parse --quiet --verify "refs/tags/$tag^{commit}" || true)
    if [[ -z $tagged ]]; then
        git push --quiet origin "$commit:refs/tags/$tag"
        git update-ref "refs/tags/$tag" "$commit" ''
        say "$tag is $commit"
    elif [[ $tagged == "$commit" ]]; then
        say "$tag is $commit already"
    else
        fail "$tag exists, and is not this release but $tagged" 'release another version'
    fi
}

# Prints the commit of the release with an image. The same HEAD and image give the same commit, whenever
# and however often it is made.
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

# commit_edit PARENT SUBJECT EXPRESSION FILE…: prints a commit on PARENT, in which sed edited the files.
commit_edit() {
    local parent=$1 subject=$2 expression=$3 file before after date
    shift 3
    local -x GIT_INDEX_FILE=$work/index
    git read-tree "$parent"
    for file; do
        before=$(git rev-parse "$parent:$file")
        after=$(git cat-file blob "$before" | sed --regexp-extended "$expression" |
            git hash-object -w --stdin)
        [[ $after != "$before" ]] || fail "$file is not as a release expects it" "see what release.sh edits"
        git update-index --cacheinfo "100644,$after,$file"
    done
    date=$(git show --no-patch --format=%cI HEAD)
    local -x GIT_AUTHOR_NAME='github-actions[bot]' GIT_COMMITTER_NAME='github-actions[bot]'
    local -x GIT_AUTHOR_EMAIL='41898282+github-actions[bot]@users.noreply.github.com'
    local -x GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE=$date GIT_COMMITTER_DATE=$date
    git commit-tree -p "$parent" -m "$subject" "$(git write-tree)"
}

# A published release cannot be changed, so it is a draft until it has everything:
# https://docs.github.com/en/code-security/supply-chain-security/understanding-your-software-supply-chain/immutable-releases
#
# It is found by its tag and never given a `target_commitish`: a job's own token may not release a commit
# that changes workflows. https://docs.github.com/en/rest/releases/releases#create-a-release
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
        fail "$tag is published, and can still be changed" \
            'delete the release, switch on immutable releases in the settings, and run this again'
    say "published $(field html_url)"
}

# Published ones come first: a draft beside one is left over.
find_release() {
    gh api --paginate "repos/$GITHUB_REPOSITORY/releases?per_page=100" |
        jq --compact-output --arg tag "$tag" '.[] | select(.tag_name == $tag)' |
        jq --compact-output --slurp 'sort_by(.draft)[0] // empty'
}

# Says of $release, where the caller keeps it.
field() {
    jq --raw-output --arg name "$1" '.[$name]' <<<"$release"
}

attach() {
    local file name attached
    for file; do
        name=$(basename "$file")
        attached=$(jq --raw-output --arg name "$name" '
            .assets[] | select(.name == $name) | "\(.state) \(.url)"' <<<"$release")
        case $attached in
        'uploaded '*) continue ;;
        # An upload that broke off is in the way of the next one.
        ?*) gh api --method DELETE "${attached#* }" ;;
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
    local released moved at
    released=$(git rev-parse "refs/tags/$tag^{commit}")
    moved=$(git rev-parse --quiet --verify "refs/tags/$major^{commit}" || true)
    if [[ -n $moved ]]; then
        at=$(newest "$(git tag --points-at "$moved" --list "$major.*.*")")
        [[ -n $at ]] || fail "$major is at $moved, which is no release" "move it to a release by hand"
        if [[ $(newest "$at" "$tag") == "$at" ]]; then
            say "$major stays at $at"
            return
        fi
    fi
    # The tag is moved only from where it was seen.
    git push --quiet --force-with-lease="refs/tags/$major:$moved" origin "$released:refs/tags/$major"
    git update-ref "refs/tags/$major" "$released"
    say "$major moved to $tag"
}

newest() {
    printf '%s\n' "$@" | sort --version-sort | tail --lines=1
}

command=${1:-}
case $command in
check | notes | verify | tag | publish) "$@" ;;
move-major) move_major ;;
*) fail "release.sh has no command named \`$command\`" 'its head lists them' ;;
esac
