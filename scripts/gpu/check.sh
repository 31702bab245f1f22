#!/usr/bin/env bash
# The GPU check on a bare machine: unpacks what `npm run gpu:pack` made and runs it. Needs bash,
# coreutils, tar, and xz or python3; no network, no packages. Writes gpu.json and gpu.log into --out.
#
#   bash scripts/gpu/check.sh PACK --out DIR [--limit 480] [--work DIR] [more flags of check.ts]
set -uo pipefail
began=$(date +%s)
usage='usage: check.sh PACK --out DIR [--limit SECONDS] [--work DIR] [--shapes 15M,110M,350M,1.1B]'
pack=${1:?$usage}
shift
out=. work='' limit=480 flags=()
while (($# > 0)); do
  case $1 in
    --out) out=${2:?$usage} && shift 2 ;;
    --work) work=${2:?$usage} && shift 2 ;;
    --limit) limit=${2:?$usage} && shift 2 ;;
    *) flags+=("$1") && shift ;;
  esac
done
mkdir -p "$out" || exit 2
work=$(mktemp -d "${work:-${TMPDIR:-/tmp}}/cfs-gpu.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT

# Ends with a record that says why, so that there is always one to look at.
give_up() {
  printf 'check.sh: %s\n' "$1" | tee -a "$out/gpu.log" >&2
  local text=${1//[^A-Za-z0-9 .,:\/_-]/ }
  printf '{"format":1,"began":"%s","seconds":%d,"limitSeconds":%d,"finished":false,"machine":{},"checks":[{"name":"unpacking","state":"failed","seconds":0,"about":"%s"}],"placements":[],"measurements":[]}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" $(($(date +%s) - began)) "$limit" "$text" >"$out/gpu.json"
  exit 1
}

unpack() {
  if type -P xz >/dev/null; then
    xz -dc "$1" | tar -xf - -C "$work/pack" && return
  fi
  python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$1" "$work/pack"
}

[[ -f $pack ]] || give_up "no pack at $pack"
mkdir -p "$work/parts" "$work/pack"
tar -xf "$pack" -C "$work/parts" || give_up 'the pack is no tar archive'
waits=()
for part in "$work"/parts/*.tar.xz; do
  unpack "$part" & waits+=($!)
done
for id in "${waits[@]}"; do
  wait "$id" || give_up 'the pack could not be unpacked: it takes xz or python3, and 300 MB of disk'
done
rm -rf "$work/parts"

# Node needs the C++ library; a machine that has none, or an old one, gets the pack's.
node=$work/pack/bin/node
if ! "$node" --version >/dev/null 2>&1; then
  mkdir -p "$work/base"
  ln -s "$work"/pack/lib/libstdc++.so.6 "$work"/pack/lib/libgcc_s.so.1 "$work/base/"
  export LD_LIBRARY_PATH=$work/base${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  "$node" --version >/dev/null 2>"$work/why" || give_up "Node does not start: $(<"$work/why")"
fi
# Whatever hangs: the time that was given is kept.
timeout -k 5 $((limit + 5 - $(date +%s) + began)) "$node" "$work/pack/checks/check.mjs" \
  --pack "$work/pack" --work "$work" --out "$out" --began "$began" --limit "$limit" "${flags[@]}"
