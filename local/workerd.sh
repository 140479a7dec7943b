#!/bin/sh
# What miniflare starts in place of workerd (MINIFLARE_WORKERD_PATH): workerd, tied to its parent.
HOTSWAP_PID_FILE=$HOTSWAP_WORKERD_PID_FILE exec "$(dirname "$0")/with-parent.sh" "$HOTSWAP_WORKERD" "$@"
