#!/usr/bin/env bash
# A Python environment with clients that others wrote, for the tests of the API (clients/requirements.txt).
#   clients.sh install | env
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
install_clients() { # -> sets VENV
  local packages
  mapfile -t packages < <(grep -v '^#' "$SERVICES_HOME/clients/requirements.txt")
  VENV="$(venv clients "${packages[@]}")"
}
case "${1:-}" in
install) t=$(now); install_clients; say "clients installed in $(since "$t") s" ;;
env) install_clients; echo "export RAGSERVER_TEST_CLIENTS=$VENV/bin/python" ;;
*) sed -n '2,3p' "${BASH_SOURCE[0]}" | sed 's/^# \{0,1\}//'; exit 2 ;;
esac
