#!/usr/bin/env bash
# image.sh COMMAND: builds and pushes the image of a release, for .github/workflows/release.yml.
#
#   build PLATFORM ARCHIVE   builds the image for this machine's platform (amd64, arm64) into an archive
#   push ARCHIVE DIGEST      pushes the image of an archive, if it has that digest
#   join DIGEST…             makes one image for all platforms out of pushed images
#   sboms DIGEST FOLDER      writes the SBOM of each platform's image into a folder
#   sbom REFERENCE PLATFORM  prints the SBOM of an image
#
# The variables IMAGE, VERSION and those of every runner describe the image. Only its digest names it; the tag is for
# people who look through the registry.
#
# `build` and `sbom` run foreign code: build scripts of dependencies. So they run in jobs that may publish nothing, and
# hand over their results; `push` and `join` run none of that code.
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
    build_for "$platform" --output "type=local,dest=$work/root"
    check_binary "$work/root/release-ticket-action"
    build_for "$platform" --provenance mode=max --output "type=oci,dest=$archive"
    printf '%s=%s\n' "$platform" "$(digest_of "$archive")" >>"$GITHUB_OUTPUT"
}

# build_for PLATFORM OPTION…
build_for() {
    local platform=$1
    shift
    docker buildx build . \
        --platform "linux/$platform" \
        --label "org.opencontainers.image.source=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" \
        --label "org.opencontainers.image.revision=$GITHUB_SHA" \
        --label "org.opencontainers.image.version=$VERSION" \
        "$@"
}

# digest_of ARCHIVE: prints the digest of the one image in an archive: https://github.com/opencontainers/image-spec/blob/main/image-index.md
digest_of() {
    local archive=$1 digests
    digests=$(tar --extract --to-stdout --file "$archive" index.json | jq --raw-output '.manifests[].digest')
    [[ $digests =~ ^sha256:[0-9a-f]{64}$ ]] || fail "$archive does not hold one image but: $digests"
    printf '%s' "$digests"
}

push() {
    local archive=$1 digest=$2
    [[ $(digest_of "$archive") == "$digest" ]] || fail "$archive does not hold $digest"
    # skopeo refuses an image with another digest.
    skopeo copy --all --preserve-digests "oci-archive:$archive" "docker://$IMAGE@$digest"
}

check_binary() {
    local status=0 output
    output=$(env --ignore-environment "$1" 2>&1) || status=$?
    [[ $status == 2 && $output == *'is a GitHub Action'* ]] ||
        fail "without inputs the binary exits with $status and says: $output"
}

join() {
    local digest index_manifests pushed_manifests
    docker buildx imagetools create --tag "$IMAGE:$VERSION" "${@/#/$IMAGE@}"
    digest=$(docker buildx imagetools inspect "$IMAGE:$VERSION" --format '{{.Manifest.Digest}}')
    # Between the two commands somebody may have moved the tag.
    index_manifests=$(manifests "$IMAGE@$digest")
    pushed_manifests=$(manifests "${@/#/$IMAGE@}")
    [[ $index_manifests == "$pushed_manifests" ]] || fail "$IMAGE:$VERSION is not the pushed image"
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

# The binary in the image lists its packages. The program that reads the list does not know that the package is published
# as an image, so this function sets its address: https://github.com/package-url/purl-spec
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
