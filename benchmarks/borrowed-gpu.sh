#!/usr/bin/env bash
# Makes the most of a GPU that is lent for minutes, on a machine without a network.
#
#     bash benchmarks/borrowed-gpu.sh pack borrowed             # here: wheels, runs to continue
#     bash benchmarks/borrowed-gpu.sh run borrowed 9.5 OUT      # there: for 9.5 minutes
#     bash benchmarks/borrowed-gpu.sh collect OUT               # here: the runs into results/
#
# Repeat the three; each continues what the earlier ones left. The repository and `borrowed`, which
# git ignores, travel to the other machine. OUT comes back: at most 8 files, 16 MiB each, 64 MiB
# together.
#
# `run` needs Python 3.12 with torch, torchvision, pytest and the usual scientific packages there.
# In turn it runs tests/test_cuda.py, measures the speed (unless a measurement has come back
# before), gives the rest of the time to `disentangle sweep`, and writes what is new to OUT:
# archives of runs, log.txt, speed.txt. A part that fails is reported and does not stop the next
# ones; the exit code is then 1. SIGTERM ends the part under way; runs stop with a checkpoint, and
# the archives are written, which takes up to half a minute. Without that notice, what is killed
# is lost: let MINUTES be half a minute below what the machine allows.
#
# The set-up takes some 15 seconds: 4 to install and 8 to draw dSprites on one busy CPU core, 3 to
# import the runs. Of ten minutes, tests and speed take five at most, the first time; later, with
# --no-tests, the sweep gets nine.
#
# `pack` names the runs that do not fit. The published results take much of the room: with results/
# moved out of the repository for the journey, and given as --results, more runs fit.
#
# Unfinished runs of FactorVAE (68 MB with their two optimisers) are too large to come back, and
# finished ones (23 MB) come back without weights.
#
# Options, after the sub-command's arguments:
#     --study FILE       study [benchmarks/full-budget.toml]
#     --results FOLDER   for pack and collect: the results folder [results]
#     --no-download      for pack: our own wheel alone, built with the hatchling installed here
#     --dataset NAME     for run: the dataset whose runs to train [dsprites]
#     --speed            for run: measure the speed again
#     --no-tests         for run: leave out the tests
#     --cpu              for run: train on the CPU, as a trial
#     --work FOLDER      for run: where it installs and trains [/tmp/borrowed-gpu]
set -uo pipefail

# What the other machine lacks: disentangle's dependencies, LightGBM for `dci-lgbm`, and hatchling,
# with which the tests install plugins. The versions are those installed here, as far as they are.
LACKING=(annotated-types pydantic pydantic-core typing-inspection platformdirs pooch lightgbm
    hatchling trove-classifiers)
PYTHON_THERE=${PYTHON_THERE:-3.12}
PLATFORMS=(manylinux_2_28_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64 manylinux1_x86_64)
# The most bytes that may travel to the other machine: the repository and what is packed.
TRAVELS=$((64 * 1024 * 1024))
# Trainings at a time: the seeds of one configuration. They begin and end together, so that a short
# time leaves whole configurations; and five that are unfinished (8 MB each, with the optimiser's
# state) still fit into what comes back.
TOGETHER=5
# Seconds: the longest for tests and speed, and what is kept back to write the archives.
TESTS=150 SPEED=180 RESERVE=20
# The least seconds for which to start a sweep: it needs some 15 to begin and to end.
LEAST=25

say() { printf '%s\n' "$*" | tee -a "${log:-/dev/null}"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 2; }

here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
[ -z "${PYTHON:-}" ] && [ -x "$here/.venv/bin/python" ] && python=$here/.venv/bin/python
disentangle() { "$python" -P -m disentangle "$@"; }

# --- pack ----------------------------------------------------------------------------------------

# The bytes of the repository that travel: all files but those that git ignores.
checkout_size() {
    git ls-files -z --cached --others --exclude-standard | xargs -0 stat -c %s 2>/dev/null |
        awk '{ sum += $1 } END { print sum + 0 }'
}

pack() {
    local folder=$1 downloads=() platform wheels size room
    mkdir -p "$folder/wheels" || exit
    rm -f "$folder"/wheels/*.whl "$folder"/*.zip "$folder/speed.txt"
    local isolation=()
    $download || isolation=(--no-build-isolation)
    "$python" -m pip wheel --quiet --no-deps "${isolation[@]}" --wheel-dir "$folder/wheels" . || exit
    if $download; then
        "$python" -m pip list --format=freeze >"$folder/wheels/versions.txt" || exit
        for platform in "${PLATFORMS[@]}"; do downloads+=(--platform "$platform"); done
        "$python" -m pip download --quiet --no-deps --only-binary=:all: \
            --python-version "$PYTHON_THERE" "${downloads[@]}" \
            --constraint "$folder/wheels/versions.txt" --dest "$folder/wheels" \
            "${LACKING[@]}" || exit
        rm "$folder/wheels/versions.txt"
    fi
    if [ -e "$results/$name/speed.txt" ]; then cp "$results/$name/speed.txt" "$folder"; fi
    size=$(($(checkout_size) + $(du -sb "$folder/wheels" | cut -f1)))
    room=$((TRAVELS - size))
    [ "$room" -gt 0 ] || fail "expected at most $((TRAVELS >> 20)) MiB to travel, got $((size >> 20)) \
MiB before any run: move results/ to another place, and give that as --results"
    "$python" benchmarks/travelling_runs.py pack "$study" "$results" "$folder" --room "$room" || exit
    wheels=("$folder"/wheels/*.whl)
    say "$folder: ${#wheels[@]} wheels, $(du -sh "$folder" | cut -f1); with the repository" \
        "$((($(checkout_size) + $(du -sb "$folder" | cut -f1)) >> 20)) of at most" \
        "$((TRAVELS >> 20)) MiB that travel"
}

# --- run -----------------------------------------------------------------------------------------

failed=() child='' stopped=''
left() { echo $((seconds - SECONDS)); }
min() { echo $(($1 < $2 ? $1 : $2)); }

# Stop the part under way, and start no other one.
stop() {
    stopped=$1
    echo "stopped by SIG$1 after $SECONDS s"
    [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}

# part NAME SECONDS COMMAND...: run a part of the work for at most some seconds, with its output in
# the log, and say how it ended. Exit code 75 is that of a sweep at its time limit.
part() {
    local part=$1 most=$2 begin=$SECONDS code
    shift 2
    [ -z "$stopped" ] || return 1
    printf '\n== %s: %s\n' "$part" "$*" >>"$log"
    timeout --kill-after=25 "$most" "$@" >>"$log" 2>&1 &
    child=$!
    [ -z "$stopped" ] || kill -TERM "$child" # the signal came before the number was known
    wait "$child"
    code=$?
    while kill -0 "$child" 2>/dev/null; do # a signal has interrupted `wait`
        wait "$child"
        code=$?
    done
    child=''
    tail -n 4 "$log" | cut -c1-200
    if [ -n "$stopped" ]; then
        say "-- $part: stopped after $((SECONDS - begin)) s"
    elif [ "$code" = 0 ] || [ "$code" = 75 ]; then
        say "-- $part: $((SECONDS - begin)) s"
    else
        [ "$code" != 124 ] || code="longer than $most s"
        say "-- $part: FAILED after $((SECONDS - begin)) s ($code); see log.txt"
        failed+=("$part")
        return 1
    fi
}

install() {
    rm -rf "$work/site"
    part install 90 "$python" -m pip install --quiet --no-index --no-deps --no-cache-dir \
        --no-compile --disable-pip-version-check --target "$work/site" "$folder"/wheels/*.whl
}

import_runs() {
    local archive
    for archive in "$folder"/*.zip; do
        [ ! -e "$archive" ] ||
            part import 90 "$python" -P -m disentangle import "$archive" --results "$work/results"
    done
}

# Three rounds of one training and of sixteen together, written once they are all measured.
measure_speed() {
    part speed "$(min $SPEED $(($(left) / 2)))" sh -c 'exec "$@" >"$0"' "$work/speed.txt" \
        "$python" benchmarks/speed/gpu.py --networks burgess --loops compile --together 16 \
        --rounds 3 --steps 1000 && tee -a "$log" <"$work/speed.txt" >"$out/speed.txt"
}

sweep() {
    local most=$(($(left) - RESERVE))
    if [ "$most" -lt "$LEAST" ]; then
        say "-- sweep: not started: $most s are left for it, it needs $LEAST"
        return
    fi
    part sweep $((most + 10)) "$python" -P -m disentangle sweep "$study" --dataset "$dataset" \
        --results "$work/results" --device "$device" --on "local:together=$TOGETHER" \
        --time-limit "${most}s"
}

run() {
    local seconds skipped='' file
    seconds=$(awk -v minutes="$2" 'BEGIN { print int(minutes * 60) }')
    [ "$seconds" -gt 0 ] || fail "MINUTES: expected a number above 0, got $2"
    folder=$1 out=$3
    [ -d "$folder/wheels" ] || fail "$folder: no wheels; make it with \`bash $0 pack $folder\`"
    mkdir -p "$out" "$work" || exit 1
    log=$out/log.txt
    : >"$log"
    trap 'stop TERM' TERM
    trap 'stop INT' INT
    trap 'stop HUP' HUP
    export PYTHONPATH=$work/site${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
    export DISENTANGLE_CACHE=${DISENTANGLE_CACHE:-$work/cache}

    if install; then
        part data 120 "$python" -P -m disentangle data prepare "$dataset"
        import_runs
        $tests && part tests "$(min $TESTS $(($(left) / 2)))" \
            "$python" -P -m pytest -q -p no:cacheprovider -o filterwarnings=default \
            tests/test_cuda.py # warnings of the versions there are no failures
        if [ "$device" = cpu ]; then
            skipped='it needs a GPU'
        elif ! $speed && [ -e "$folder/speed.txt" ]; then
            skipped='it was measured before'
        fi
        if [ -z "$skipped" ]; then measure_speed; else say "-- speed: left out: $skipped"; fi
        sweep
        trap '' TERM INT HUP # the archives are written to the end
        for file in "$work/results/$name"/logs/*.log; do
            [ ! -e "$file" ] || { printf '\n== %s\n' "${file##*/}"; tail -n 3 "$file"; } >>"$log"
        done
        "$python" -P benchmarks/travelling_runs.py bring "$study" "$work/results" "$folder" "$out" \
            2>&1 | tee -a "$log" || failed+=(bring)
    fi
    say "$SECONDS of $seconds s${failed:+; failed: ${failed[*]}}"
    case $stopped in
        TERM) exit 143 ;;
        INT) exit 130 ;;
        HUP) exit 129 ;;
    esac
    [ ${#failed[@]} = 0 ] || exit 1
}

# --- collect -------------------------------------------------------------------------------------

collect() {
    local out archive code=0
    for out in "$@"; do
        for archive in "$out"/*.zip; do
            [ -e "$archive" ] || { say "$out: no archives of runs"; continue; }
            disentangle import "$archive" --results "$results" || code=1
        done
        if [ -e "$out/speed.txt" ]; then
            mkdir -p "$results/$name" && cp "$out/speed.txt" "$results/$name/speed.txt"
        fi
    done
    "$python" benchmarks/travelling_runs.py whole "$study" "$results" || code=1
    exit $code
}

# --- arguments -----------------------------------------------------------------------------------

usage() { fail "expected \`$0 pack FOLDER\`, \`$0 run FOLDER MINUTES OUT\` or \`$0 collect OUT...\`; \
\`sed '/^set/q' $0\` shows the options"; }

command=${1:-}
shift || usage
study=benchmarks/full-budget.toml results=results dataset=dsprites work=/tmp/borrowed-gpu
download=true speed=false tests=true device=cuda
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
        --study | --results | --dataset | --work)
            [ $# -gt 1 ] || fail "$1: expected a value"
            case $1 in
                --study) study=$(realpath -m "$2") ;;
                --results) results=$(realpath -m "$2") ;;
                --dataset) dataset=$2 ;;
                --work) work=$(realpath -m "$2") ;;
            esac
            shift
            ;;
        --no-download) download=false ;;
        --speed) speed=true ;;
        --no-tests) tests=false ;;
        --cpu) device=cpu ;;
        -*) fail "$1: no such option; \`sed '/^set/q' $0\` shows them" ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
name=$(basename "$study" .toml)

case $command:${#arguments[@]} in
    pack:1 | run:3 | collect:[1-9]*) ;;
    *) usage ;;
esac
[ "$command" = run ] && minutes=${arguments[1]} && unset 'arguments[1]'
paths=()
for path in "${arguments[@]}"; do paths+=("$(realpath -m "$path")"); done
cd "$here" || exit 1
case $command in
    pack) pack "${paths[0]}" ;;
    run) run "${paths[0]}" "$minutes" "${paths[1]}" ;;
    collect) collect "${paths[@]}" ;;
esac
