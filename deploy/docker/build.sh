#!/bin/sh
# Builds the images of the services: deploy/docker/build.sh [SERVICE ...]
#
# With docker, podman or buildah, whichever is there and works; BUILDER names one. What else may be said, by environment:
#   BASE_IMAGE    base in place of the one in the Dockerfile, best with its digest: name:tag@sha256:...
#   TAG           tag of the images; the project's version by default, and `latest` beside it
#   PREFIX        what goes before their names, where they shall be pushed
#   PIP_CONFIG    pip's own configuration file, where packages come from a mirror; it is in no layer
#   BUILD_FLAGS   further flags for the builder, such as --isolation chroot
set -eu

cd "$(dirname "$0")/../.."

works() {
    command -v "$1" > /dev/null 2>&1 && "$1" info > /dev/null 2>&1
}

builder=${BUILDER:-}
if [ -z "$builder" ]; then
    for builder in docker podman buildah none; do
        if works "$builder"; then break; fi
    done
fi
if [ "$builder" = none ]; then
    echo "build.sh: neither docker nor podman nor buildah works here; install one, or start its daemon" >&2
    exit 1
fi

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
revision=$(git rev-parse HEAD 2> /dev/null || echo unknown)
# The time of the commit, so that the same sources give the same labels.
created=$(git log -1 --format=%cI 2> /dev/null || echo 1970-01-01T00:00:00Z)
tag=${TAG:-$version}

[ $# -gt 0 ] || set -- ingest imaging mockup status
for service in "$@"; do
    name=${PREFIX:-}cutline-$service
    echo "building $name:$tag with $builder"
    set -- --file deploy/docker/Dockerfile --tag "$name:$tag" --tag "$name:latest" \
        --build-arg "SERVICE=$service" --build-arg "VERSION=$version" \
        --build-arg "REVISION=$revision" --build-arg "CREATED=$created"
    [ -z "${BASE_IMAGE:-}" ] || set -- "$@" --build-arg "BASE_IMAGE=$BASE_IMAGE"
    [ -z "${PIP_CONFIG:-}" ] || set -- "$@" --secret "id=pip,src=$PIP_CONFIG"
    # Flags are words.
    # shellcheck disable=SC2086
    DOCKER_BUILDKIT=1 "$builder" build ${BUILD_FLAGS:-} "$@" .
done
