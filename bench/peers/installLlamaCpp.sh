#!/bin/sh
# Installs llama.cpp as a peer of bench:generate: node-llama-cpp with its CPU library (npm, about
# 90 MB), and, where there is a C++ compiler, llamaCppNative.cpp linked against that same library,
# into .cfs/peers. The headers come from the source bundle that the package carries.
set -eu
bench=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
peers="$bench/../.cfs/peers"
system=$(node -p '`${process.platform}-${process.arch}`')
# The package's other binaries (CUDA, Vulkan) are optional dependencies of hundreds of MB; leaving
# those out leaves every binary out, so package.json names the one we use, and npm refuses it elsewhere.
if [ "$system" != linux-x64 ]; then
  echo "llama.cpp: skipped, bench/package.json has its library for linux-x64 only (this is $system)"
  exit 0
fi
# Not `npm ci`: it wants every system's binary in the lockfile, though they are left out here.
npm install --prefix "$bench" --no-save --omit=optional --ignore-scripts --no-audit --no-fund

libraries="$bench/node_modules/@node-llama-cpp/$system/bins/$system"
compiler="${CXX:-g++}"
for program in "$compiler" git; do
  command -v "$program" >/dev/null || {
    echo "llama.cpp's native loop: skipped, no $program"
    exit 0
  }
done

mkdir -p "$peers"
source="$peers/llama.cpp"
rm -rf "$source"
git clone --quiet --no-checkout "$bench/node_modules/node-llama-cpp/llama/gitRelease.bundle" "$source"
git -C "$source" checkout --quiet HEAD -- include ggml/include vendor/nlohmann
"$compiler" -O2 -std=c++17 \
  -I"$source/include" -I"$source/ggml/include" -I"$source/vendor" \
  "$bench/peers/llamaCppNative.cpp" \
  "$libraries"/libllama.v*.so "$libraries"/libggml.v*.so "$libraries/libggml-base.so" \
  -Wl,-rpath,"$libraries" -o "$peers/llamaCppNative"
echo "llama.cpp's native loop: built"
