#!/usr/bin/env bash
# image.sh COMMAND: the image of a release, made as .github/workflows/release.yml asks for it.
#
#   build PLATFORM ARCHIVE   builds the image for this machine's platform (amd64, arm64) into an archive
#   push ARCHIVE DIGEST      pushes what was built, if the archive holds what has that digest
#   join DIGEST…             makes one image for all platforms out of those that were pushed
#   sboms DIGEST FOLDER      writes the SBOM of each platform's image into a folder
#   sbom REFERENCE PLATFORM  prints the SBOM of an image
#
# The variables IMAGE, VERSION and those of every runner say what to make. What is pushed is only ever
# named by its digest; the tag is there for people who look through the registry.
#
# `build` and `sbom` run what others wrote: build scripts of dependencies. So they run in jobs that may publish
# nothing, and hand over what they made; `push` and `join` run nothing of it.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools=$PWD/target/ci
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

build() {
    local platform=$1 archive=$2
    # The builder of the engine itself cannot write an archive.
    docker buildx create --use >/dev/null
    of_platform "$platform" --output "type=local,dest=$work/root"
    says_what_it_is "$work/root/release-ticket-action"
    of_platform "$platform" --provenance mode=max --output "type=oci,dest=$archive"
    printf '%s=%s\n' "$platform" "$(digest_of "$archive")" >>"$GITHUB_OUTPUT"
}

# of_platform PLATFORM OPTION…
of_platform() {
    local platform=$1
    shift
    docker buildx build . \
        --platform "linux/$platform" \
        --label "org.opencontainers.image.source=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" \
        --label "org.opencontainers.image.revision=$GITHUB_SHA" \
        --label "org.opencontainers.image.version=$VERSION" \
        "$@"
}

# The digest of the one thing that an archive holds: https://github.com/opencontainers/image-spec/blob/main/image-index.md
digest_of() {
    local archive=$1 digests
    digests=$(tar --extract --to-stdout --file "$archive" index.json | jq --raw-output '.manifests[].digest')
    [[ $digests =~ ^sha256:[0-9a-f]{64}$ ]] || fail "$archive does not hold one image but: $digests"
    printf '%s' "$digests"
}

push() {
    local archive=$1 digest=$2
    [[ $(digest_of "$archive") == "$digest" ]] || fail "$archive does not hold $digest"
    # It refuses what does not have that digest.
    skopeo copy --all --preserve-digests "oci-archive:$archive" "docker://$IMAGE@$digest"
}

says_what_it_is() {
    local status=0 said
    said=$(env --ignore-environment "$1" 2>&1) || status=$?
    [[ $status == 2 && $said == *'is a GitHub Action'* ]] ||
        fail "without inputs the binary exits with $status and says: $said"
}

join() {
    local digest joined pushed
    docker buildx imagetools create --tag "$IMAGE:$VERSION" "${@/#/$IMAGE@}"
    digest=$(docker buildx imagetools inspect "$IMAGE:$VERSION" --format '{{.Manifest.Digest}}')
    # Between the two commands the tag may have been moved.
    joined=$(manifests "$IMAGE@$digest")
    pushed=$(manifests "${@/#/$IMAGE@}")
    [[ $joined == "$pushed" ]] || fail "$IMAGE:$VERSION is not what was pushed"
    printf 'digest=%s\n' "$digest" >>"$GITHUB_OUTPUT"
}

manifests() {
    local reference
    for reference; do
        docker buildx imagetools inspect --raw "$reference"
    done | jq --raw-output '.manifests[].digest' | sort
}

sboms() {
    local index=$1 folder=$2 platform digest
    mkdir -p "$folder"
    for platform in amd64 arm64; do
        digest=$(docker buildx imagetools inspect --raw "$IMAGE@$index" | jq --raw-output \
            --arg platform "$platform" '.manifests[] | select(.platform.architecture == $platform).digest')
        sbom "$IMAGE@$digest" "$platform" >"$folder/release-ticket-action-$platform.cdx.json"
    done
}

# The binary in the image says what it was built from. What reads that does not know that the package
# is published as an image, so its address is set here: https://github.com/package-url/purl-spec
sbom() {
    local reference=$1 platform=$2 digest='' container purl
    cargo install --quiet --locked --root "$tools" auditable2cdx@0.1.0
    container=$(docker create --platform "linux/$platform" "$reference")
    docker cp "$container:/release-ticket-action" "$work/binary"
    docker rm "$container" >/dev/null
    [[ $reference != *@* ]] || digest=@${reference#*@}
    purl="pkg:oci/release-ticket-action${digest/:/%3A}?arch=$platform&repository_url=${reference%@*}"
    "$tools/bin/auditable2cdx" "$work/binary" | jq --arg purl "$purl" '.metadata.component.purl = $purl'
}

command=${1:-}
case $command in
build | push | join | sboms | sbom) "$@" ;;
*) fail "image.sh has no command named \`$command\`" ;;
esac
