#!/usr/bin/env bash
# Print the path of a Chromium for the browser tests; install one where there is none:
# the system's, else Debian's package where we are root, else Playwright's own.
# Usage: find-chromium.sh PLAYWRIGHT
set -euo pipefail

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name"; then exit 0; fi
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's chromium …" >&2
    if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
            --no-install-recommends chromium fonts-noto-core; } >&2; then
        command -v chromium && exit 0
    fi
fi

echo "Installing Playwright's Chromium …" >&2
"$1" install chromium >&2
# An empty path: Playwright finds its own.
