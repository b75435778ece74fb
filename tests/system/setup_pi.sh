#!/usr/bin/env bash
# Makes the emulated Pis that tests/system/test_emulated_pi.py runs: root file systems of Debian for ARM with
# the wheels that pip would take there, in the user's cache. Quick when they are there; made again when this
# file or the edge's dependencies change. Needs root and apt-get once, for QEMU and mmdebstrap.
#
#     tests/system/setup_pi.sh [bookworm-arm64 trixie-arm64 bookworm-armhf]
#
# What can't be fetched is said on standard error with exit status 1; the tests then skip with the same reason.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/edgedigits/pi
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

recipe=$(cat tests/system/setup_pi.sh edge/pyproject.toml | sha256sum | cut -c1-16)

tools() {
    local missing=() tool
    for tool in qemu-aarch64-static:qemu-user-static mmdebstrap:mmdebstrap; do
        command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
}

# A pip of our own: the system may have none, or one that is too old for the newest wheels' tags.
pip() {
    if ! [ -x "$cache/pip/bin/pip" ]; then
        python3 -m venv "$cache/pip"
        "$cache/pip/bin/pip" install -qq -U pip
    fi
    "$cache/pip/bin/pip" "$@"
}

# The machine's own mirror of Debian, and only its main suite: the others are now and then half synchronized.
mirror() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" {print $2; exit}'
}

requirements() {
    python3 - <<'PYTHON'
import tomllib
from pathlib import Path

print("\n".join(tomllib.loads(Path("edge/pyproject.toml").read_text())["project"]["dependencies"]))
PYTHON
}

# root_file_system DIR SUITE ARCHITECTURE PACKAGE,…
root_file_system() {
    # Without a chroot nothing is configured, and nothing of the other architecture has to run.
    mmdebstrap --quiet --mode=root --variant=extract --arch="$3" --include="$4" "$2" "$1" \
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $2 main" >/dev/null
    # XNNPACK asks /proc and /sys for the processor. The emulation shows the host's, but for files that are here.
    mkdir -p "$1/proc"
    if [ "$3" = arm64 ]; then
        printf '%s\n' 'processor	: 0' 'BogoMIPS	: 108.00' 'Features	: fp asimd evtstrm crc32 cpuid' \
            'CPU implementer	: 0x41' 'CPU architecture: 8' 'CPU variant	: 0x0' 'CPU part	: 0xd03' \
            'CPU revision	: 4' >"$1/proc/cpuinfo"
    fi
}

# 64-bit: the wheels from PyPI. manylinux_2_28 and older run on both systems.
wheels_arm64() {
    requirements | pip install -qq --no-compile --only-binary=:all: --implementation cp --python-version "$2" \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64 \
        --platform manylinux_2_17_aarch64 --target "$1/opt/site" --requirement /dev/stdin
}

# 32-bit: Debian's NumPy, OpenCV and Pillow, and the last tflite-runtime there is.
wheels_armhf() {
    pip install -qq --no-compile --no-deps --only-binary=:all: --implementation cp --python-version 3.11 \
        --platform manylinux_2_34_armv7l --target "$1/opt/site" tflite-runtime==2.14.0
}

make_pi() {
    local name=$1 final=$cache/$1 work=$cache/$1.partial
    if [ "$(cat "$final/recipe" 2>/dev/null || true)" = "$recipe" ]; then
        return
    fi
    tools
    rm -rf "$final" "$work"
    local base=python3-minimal,libpython3-stdlib,libc-bin,coreutils,bash,libstdc++6
    case $name in
    bookworm-arm64)
        root_file_system "$work" bookworm arm64 "$base"
        wheels_arm64 "$work" 3.11
        ;;
    trixie-arm64)
        root_file_system "$work" trixie arm64 "$base"
        wheels_arm64 "$work" 3.13
        ;;
    bookworm-armhf)
        root_file_system "$work" bookworm armhf "$base,python3-numpy,python3-opencv,python3-pil"
        wheels_armhf "$work"
        ;;
    *)
        echo "setup_pi.sh: there is no recipe for $name" >&2
        return 2
        ;;
    esac
    echo "$recipe" >"$work/recipe"
    mv "$work" "$final"
}

for name in "${@:-bookworm-arm64 trixie-arm64 bookworm-armhf}"; do
    for one in $name; do
        make_pi "$one"
    done
done
