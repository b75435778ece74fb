#!/usr/bin/env bash
# Installs what the tests take from the system; quick and quiet when it is all there. Needs root and apt-get.
set -euo pipefail

packages=(
    chromium fonts-dejavu-core             # the web pages
    ffmpeg mosquitto openssl               # streams, a broker, its certificates
    gcc cmake                              # firmware, and stand-ins for an accelerator's library
    gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm  # emulated microcontrollers
)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    # A mirror may be out of order for a while: what can't be had is said, and its tests skip with the reason.
    apt-get update -qq || echo "setup.sh: the package lists could not be refreshed" >&2
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        echo "setup.sh: not installed: ${missing[*]}" >&2
fi

# Emulated Raspberry Pis. Where they can't be made, their tests say so.
"$(dirname "$0")/setup_pi.sh" || echo "setup.sh: no emulated Pis; their tests will not run" >&2
