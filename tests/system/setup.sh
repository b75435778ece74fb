#!/usr/bin/env bash
# Installs what the tests take from the system; quick and quiet when it is all there. Needs root and apt-get.
set -euo pipefail

packages=(chromium ffmpeg fonts-dejavu-core mosquitto openssl)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Emulated Raspberry Pis. Where they can't be made, their tests say so.
"$(dirname "$0")/setup_pi.sh" || echo "setup.sh: no emulated Pis; their tests will not run" >&2
