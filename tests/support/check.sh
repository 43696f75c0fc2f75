#!/usr/bin/env bash
# The style by machine: formatting, house rules, clang-tidy, cppcheck. Argument: a configured build folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=$1

mapfile -t sources < <(git ls-files -co --exclude-standard 'xdms/*.c' 'im-glue/*.c')
mapfile -t headers < <(git ls-files -co --exclude-standard 'include/*.h' 'xdms/*.h' 'im-glue/*.h')
mapfile -t tests < <(git ls-files -co --exclude-standard 'tests/*.c' 'tests/*.h')

echo "check: house rules"
python3 tests/support/house_rules.py "${sources[@]}" "${headers[@]}" "${tests[@]}"

echo "check: clang-format"
clang-format --dry-run -Werror "${sources[@]}" "${headers[@]}" "${tests[@]}"

echo "check: cppcheck"
# It stumbles over compound literals, and does not follow values that a callee writes: the compilers do.
cppcheck --quiet --std=c11 --inline-suppr --error-exitcode=1 --enable=warning,portability \
    --suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck \
    --suppress=internalAstError --suppress=uninitvar -D__GNUC__ -DXDM_VERSION='""' \
    $(printf -- '-I%s ' include/*/ xdms/*/ im-glue/*/) -j "$(nproc)" "${sources[@]}"

echo "check: clang-tidy"
printf '%s\0' "${sources[@]}" | xargs -0 -n 4 -P "$(nproc)" clang-tidy --quiet -p "$build" --extra-arg=-Wno-unknown-warning-option 2>/dev/null

echo "check: all good"
