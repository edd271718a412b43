# shellcheck shell=bash disable=SC2015,SC2034
# Shared by bindings/install, bindings/demo and Tests/run. To be sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Debian packages for building the library and the sandbox, besides Swift.
build_packages=(
  binutils gcc libc6-dev pkg-config
  libcurl4-openssl-dev libjansson-dev libmicrohttpd-dev libsqlite3-dev libjwt-dev
)

# Additional Debian packages for an environment with the Python package.
python_packages=(python3 python3-hatchling python3-venv)

say() { printf '==> %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

require_swift() {
  command -v swift >/dev/null && command -v swiftc >/dev/null ||
    fail "Swift was not found: install Swift 6.3.1 or newer (https://www.swift.org/install) and put it on PATH."
}

# require_packages NAME…: installs the Debian packages that are missing.
require_packages() {
  local name missing=() as_root=()
  command -v dpkg-query >/dev/null ||
    fail "this system is not based on Debian: install dpkg-query and the equivalents of these packages: $*."
  for name in "$@"; do
    # Without an architecture, because the names of Multi-Arch packages include one.
    dpkg-query --show --showformat='${db:Status-Status}\n' "$name" 2>/dev/null |
      grep -qx installed || missing+=("$name")
  done
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "these packages are missing, and installing them needs root or sudo: ${missing[*]}."
    as_root=(sudo)
  fi
  say "Installing ${missing[*]}"
  # The package index is updated only if it is absent or too old to find a package.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "these Debian packages could not be installed: ${missing[*]}."
}

# header_macro NAME: prints the number that a macro in argyle.h is defined as.
header_macro() {
  sed -n "s/^#define $1 \([0-9][0-9]*\)\$/\1/p" "$root/include/argyle.h"
}

# Sets version and major from argyle.h. Both libraries have this version.
read_version() {
  local minor patch
  major=$(header_macro ARGYLE_VERSION_MAJOR)
  minor=$(header_macro ARGYLE_VERSION_MINOR)
  patch=$(header_macro ARGYLE_VERSION_PATCH)
  [[ $major && $minor && $patch ]] || fail "include/argyle.h does not define its version."
  version=$major.$minor.$patch
}

# The directory of the toolchain's libraries, even if the command on PATH is a link.
swift_resources() {
  swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p'
}

swift_triple() {
  swiftc -print-target-info | sed -n 's/.*"unversionedTriple": "\(.*\)".*/\1/p'
}

# The tables with which Embedded Swift compares strings; the linker includes only what is used.
unicode_tables() {
  printf '%s/embedded/%s/libswiftUnicodeDataTables.a\n' "$(swift_resources)" "$(swift_triple)"
}

# The libraries are named like their headers, argyle and argyle-sandbox; the SwiftPM product is NAME-c.

# soname NAME: the name that programs load the library by.
soname() {
  printf 'lib%s.so.%s\n' "$1" "$major"
}

# write_version_script NAME FILE: a version script that exports only the header's functions, under one node.
write_version_script() {
  local node=${1^^}
  {
    printf '%s_%s {\nglobal:\n' "${node//-/_}" "$major"
    "$root/bindings/c/functions" "$root/include/$1.h" | sed 's/.*/  &;/'
    printf 'local:\n  *;\n};\n'
  } >"$2"
}

# build_product PRODUCT OUTPUT SCRATCH FLAG…: builds one product alone, because linker flags apply to everything
# that is linked in the same call. Compiler flags come first. The environment selects Embedded Swift.
build_product() {
  local product=$1 output=$2 scratch=$3 compiling linking
  shift 3
  mkdir -p "$scratch"
  # SwiftPM does not rebuild if only flags or the version script changed.
  compiling=$(printf '%s\n' "$@" | sed '/^-Xlinker$/,$d')
  if [[ -d $scratch/release ]] && is_new "$scratch/compiling" "$compiling"; then
    find "$scratch/release/" -name '*.o' -delete
  fi
  linking=$(printf '%s\n' "$@" && cat "$scratch/$product.map" 2>/dev/null || true)
  if is_new "$scratch/$product.linking" "$linking"; then
    rm -f "$scratch/release/$output"
  fi
  swift build --package-path "$root" --scratch-path "$scratch" -c release \
    --disable-local-rpath --product "$product" "$@"
  printf '%s\n' "$compiling" >"$scratch/compiling"
  printf '%s\n' "$linking" >"$scratch/$product.linking"
}

# is_new FILE TEXT: whether the text differs from the contents of the file.
is_new() {
  [[ ! -f $1 || $2 != "$(<"$1")" ]]
}

# Embedded Swift puts a module's functions into one section: with a section for each, the linker drops unused ones,
# which halves the library. The toolchain's own linker comes with every Swift, and unlike gold it keeps the names of
# local symbols out of the library. Exclusive access to memory is checked by the compiler but not at run time: a failed
# check would end the host process.
embedded_flags=(
  -Xswiftc -Xfrontend -Xswiftc -function-sections -Xswiftc -use-ld=lld -Xswiftc -enforce-exclusivity=unchecked
)

# link_library SCRATCH NAME ARGUMENT…: links a library with its soname and exports. All functions are bound when it is
# loaded: lazy binding saves the processor's registers on the stack, including a secret just copied through them.
link_library() {
  local scratch=$1 name=$2 map=$1/$2-c.map
  shift 2
  mkdir -p "$scratch"
  write_version_script "$name" "$map"
  build_product "$name-c" "lib$name-c.so" "$scratch" "$@" \
    -Xlinker "-soname=$(soname "$name")" -Xlinker "--version-script=$map" -Xlinker -z -Xlinker now
}

# build_library SCRATCH NAME: builds the shipped library, in Embedded Swift, as SCRATCH/release/libNAME-c.so.
build_library() {
  ARGYLE_EMBEDDED=1 link_library "$1" "$2" "${embedded_flags[@]}" \
    -Xlinker "$(unicode_tables)" -Xlinker --as-needed -Xlinker -lm -Xlinker --gc-sections \
    -Xlinker -z -Xlinker defs -Xlinker -s
}

# With a sanitizer, undefined behaviour in C also ends the program: every sanitizer's runtime supports that. Swift has
# no such check.
undefined_flags=(-Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=all)

# build_sanitized SCRATCH NAME address|thread: the same with a sanitizer, whose runtime the loading program must
# provide, and with symbols for readable stack traces.
build_sanitized() {
  ARGYLE_EMBEDDED=1 link_library "$1" "$2" "${embedded_flags[@]}" --sanitize "$3" "${undefined_flags[@]}" \
    -Xlinker "$(unicode_tables)" -Xlinker -lm
}

# build_ordinary SCRATCH NAME: builds the library in ordinary Swift, which needs the Swift runtime.
build_ordinary() {
  link_library "$1" "$2"
}

# build_sandbox SCRATCH: builds the server, in Embedded Swift, as SCRATCH/release/argyle-sandbox.
build_sandbox() {
  ARGYLE_EMBEDDED=1 build_product argyle-sandbox argyle-sandbox "$1" "${embedded_flags[@]}" \
    -Xlinker "$(unicode_tables)" -Xlinker -lm -Xlinker --gc-sections -Xlinker -s
}

# build_sanitized_sandbox SCRATCH address: the same with a sanitizer.
build_sanitized_sandbox() {
  ARGYLE_EMBEDDED=1 build_product argyle-sandbox argyle-sandbox "$1" "${embedded_flags[@]}" --sanitize "$2" \
    "${undefined_flags[@]}" \
    -Xlinker "$(unicode_tables)" -Xlinker -lm
}

# build_archive SCRATCH: builds SCRATCH/libargyle.a from the objects of libargyle.so, merged into one. A plain archive
# would export swift_retain and about 500 others, which clash with those of a Swift program that links it.
build_archive() {
  local scratch=$1 object=$1/argyle.o roots
  "$root/bindings/c/functions" >"$scratch/functions"
  mapfile -t roots < <(sed 's/^/--undefined=/' "$scratch/functions")
  # Section groups are dissolved: a linker drops one of two groups with the same name, even if ours is local.
  ld -r --force-group-allocation --gc-sections "${roots[@]}" \
    -o "$object" "@$scratch/release/argyle-c.product/Objects.LinkFileList" "$(unicode_tables)"
  objcopy --keep-global-symbols="$scratch/functions" --remove-section=.swift1_autolink_entries "$object"
  strip --strip-unneeded "$object"
  rm -f "$scratch/libargyle.a"
  ar -rcD "$scratch/libargyle.a" "$object"
}

# put MODE FILE DESTINATION: copies a file unless it is unchanged, because programs may be using it.
put() {
  install -C -D -m "$1" "$2" "$3"
}

# lay_out_library SCRATCH NAME DIRECTORY: installs the built library and the links to it.
lay_out_library() {
  local file=lib$2.so
  put 755 "$1/release/lib$2-c.so" "$3/$file.$version"
  ln -sfn "$file.$version" "$3/$(soname "$2")"
  ln -sfn "$(soname "$2")" "$3/$file"
}

# install_package ENVIRONMENT: installs the Python package, with the libraries in $ARGYLE_PREFIX, into a virtual
# environment that has hatchling; nothing is downloaded.
install_package() {
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-index --no-deps --no-build-isolation --force-reinstall "$root/bindings/python"
}
