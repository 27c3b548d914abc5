#!/usr/bin/env bash
# lapidary's training and embedding beside PyTorch's and sentence-transformers', and its tokenizer training beside
# `tokenizers`' and rustbpe's, in turns on the same cores. Prints every measurement, then medians and how many times as fast
# lapidary is.
#
#   LAPIDARY_PEERS=DIR PYTHON=BIN benches/compare.sh step|encode|tune DATA MODEL [ROUNDS]
#   LAPIDARY_PEERS=DIR PYTHON=BIN benches/compare.sh bpe TEXT VOCABULARY [ROUNDS]
#
# DIR holds the peers' scripts (tune.py, encode.py, bpe.py), BIN is a Python that has sentence-transformers, DATA a retrieval set in
# BEIR's layout, MODEL a folder with all-MiniLM-L6-v2. `step` needs neither DATA nor MODEL: give it -. `tune` takes 5 steps of 32
# pairs of at most 256 tokens. `bpe` trains on the lines of a text from the first read to the saved file, and fails unless the
# merges are those of `tokenizers`; BIN has `tokenizers` and `rustbpe`. Nothing else should run meanwhile.
set -euo pipefail
what=${1:?step, encode, tune or bpe} data=${2:?a retrieval set} model=${3:?a model} rounds=${4:-5}
python=${PYTHON:-python3} peers=${LAPIDARY_PEERS:-}
cd "$(dirname "$0")/.."
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

bench() { cargo bench --quiet --bench "$@" 2>/dev/null; }
field() { "$python" -c "import json, sys; print(json.loads(sys.stdin.read().strip().splitlines()[-1])['$1'])"; }
note() { tee -a "$results/$1" | sed "s/^/$1 /"; }

case $what in
  step)
    bench train_step -- 16x8 >/dev/null
    for _ in $(seq "$rounds"); do
      for precision in f32 bf16; do
        bench train_step -- --precision $precision 16x128 | sed 's/.*: \([0-9.]*\) ms.*/\1/' | note "ours-$precision"
        "$python" benches/compare/train_step.py --precision $precision 16x128 | sed 's/.*: \([0-9.]*\) ms.*/\1/' |
          note "theirs-$precision"
      done
    done
    better=less
    ;;
  encode)
    for _ in $(seq "$rounds"); do
      for precision in f32 bf16; do
        bench encoder -- --precision $precision "$data" "$model" 1000 | sed 's/.*: \([0-9.]*\) passages.*/\1/' |
          note "ours-$precision"
      done
      "$python" "$peers/encode.py" embed "$data" "$model" 2>/dev/null | field passages_per_s | note theirs-f32
    done
    cp "$results/theirs-f32" "$results/theirs-bf16"
    better=more
    ;;
  tune)
    cargo build --quiet --release
    target/release/lapidary init "$results/workspace" --beir "$data" --dev-share 0 --format json >/dev/null 2>&1
    for _ in $(seq "$rounds"); do
      for precision in f32 bf16; do
        flag=$([ $precision = bf16 ] && echo --bf16 || true)
        target/release/lapidary --workspace "$results/workspace" tune --base "$model" --batch 32 --max-length 256 --max-steps 5 \
          --precision $precision --format json 2>/dev/null >"$results/out"
        field pairs_per_s <"$results/out" | note "ours-$precision"
        field peak_rss_mib <"$results/out" | sed "s/^/  MiB /"
        "$python" "$peers/tune.py" "$data" "$model" --batch 32 --max-length 256 --max-steps 5 $flag 2>/dev/null >"$results/out"
        field pairs_per_s <"$results/out" | note "theirs-$precision"
        field peak_rss_mib <"$results/out" | sed "s/^/  MiB /"
      done
    done
    better=more
    ;;
  bpe)
    bench bpe -- >/dev/null
    for _ in $(seq "$rounds"); do
      bench bpe -- "$data" "$model" "$results/ours.json" | tee "$results/out" | field mb_per_s | note ours
      field peak_rss_mib <"$results/out" | note ours-mib
      for peer in hf rustbpe; do
        "$python" "$peers/bpe.py" $peer "$data" "$model" "$results/$peer.json" 2>/dev/null | tee "$results/out" |
          field mb_per_s | note $peer
        field peak_rss_mib <"$results/out" | note $peer-mib
      done
    done
    "$python" - "$results" <<'PYTHON'
import json, pathlib, statistics, sys

folder = pathlib.Path(sys.argv[1])
median = {
    path.name: statistics.median(map(float, path.read_text().split()))
    for path in folder.iterdir() if path.suffix != ".json" and path.name != "out"
}
for who in ("ours", "hf", "rustbpe"):
    times = median["ours"] / median[who]
    print(f"{who}: {median[who]:.2f} MB/s, {median[who + '-mib']:.0f} MiB; ours is {times:.2f} times as fast")
ours, theirs = (json.loads((folder / name).read_text())["model"]["merges"] for name in ("ours.json", "hf.json"))
sys.exit(0 if ours == theirs else f"the merges differ: {len(ours)} and {len(theirs)}")
PYTHON
    echo "the merges are those of tokenizers"
    exit
    ;;
  *)
    echo "$what: step, encode, tune or bpe" >&2
    exit 2
    ;;
esac

"$python" - "$results" $better <<'PYTHON'
import pathlib, statistics, sys

folder, better = pathlib.Path(sys.argv[1]), sys.argv[2]
for precision in ("f32", "bf16"):
    ours, theirs = (
        statistics.median(map(float, (folder / f"{who}-{precision}").read_text().split())) for who in ("ours", "theirs")
    )
    ratio = theirs / ours if better == "less" else ours / theirs
    print(f"{precision}: ours {ours:.2f}, theirs {theirs:.2f}, {ratio:.2f} times as fast")
PYTHON
