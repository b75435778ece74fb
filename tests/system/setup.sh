#!/usr/bin/env bash
# Installs what the tests take from the system, and makes the emulated Raspberry Pis; quick and quiet when it is
# all there. Needs root and apt-get. Exit status 1 where something can't be had; its tests then skip with the reason.
set -euo pipefail

packages=(
    chromium fonts-dejavu-core             # the web pages
    ffmpeg mosquitto openssl               # streams, a broker, its certificates
    python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good  # a camera with RTSP
    gcc libc6-dev cmake                    # firmware, stand-ins for an accelerator's library, a plug-in for QEMU
    qemu-user                              # the emulation of a Pi that takes plug-ins
    gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm  # emulated microcontrollers
)

missing() {
    local package
    for package in "${packages[@]}"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || echo "$package"
    done
}

install() {
    local wanted
    mapfile -t wanted < <(missing)
    [ ${#wanted[@]} -gt 0 ] || return 0
    apt-get update -qq || echo "setup.sh: the package lists could not be refreshed" >&2
    apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

# A mirror in the middle of a synchronization is well again in a minute, so what fails is tried again.
again() {
    local pause
    for pause in 20 60; do
        "$@" && return
        echo "setup.sh: $1 failed; once more in $pause s" >&2
        sleep "$pause"
    done
    "$@"
}

export DEBIAN_FRONTEND=noninteractive
status=0
again install || {
    echo "setup.sh: not installed: $(missing | tr '\n' ' ')" >&2
    status=1
}
again "$(dirname "$0")/setup_pi.sh" || {
    echo "setup.sh: the emulated Pis could not be made" >&2
    status=1
}
exit $status
