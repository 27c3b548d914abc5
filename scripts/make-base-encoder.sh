#!/usr/bin/env bash
# Makes assets/base-encoder, the small encoder that is compiled into lapidary, from sentence-transformers/all-MiniLM-L6-v2.
#
#   make-base-encoder.sh MINILM OUT
#
# MINILM is the teacher's folder, OUT a folder for everything that is made; an hour for the downloads (2 GB), then a quarter of an hour
# on a GPU. LAPIDARY names the program, built with --features cuda.
set -euo pipefail
minilm=$(realpath "$1") out=$2
lapidary=${LAPIDARY:-lapidary}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out" && cd "$out"

[ -f en.txt ] || python3 "$here/gather-distillation-text.py" .
python3 "$here/lengthen-distillation-text.py" .
mkdir -p mix
head -c 18000000 en.txt | iconv -c -f utf-8 -t utf-8 > mix/en.txt
cut -f2 ru-en.tsv > ru.txt
head -c 8000000 ru.txt | iconv -c -f utf-8 -t utf-8 > mix/ru.txt

[ -d workspace ] || "$lapidary" init workspace --corpus mix
"$lapidary" tokenizer train --workspace workspace --vocab-size 8200 --lowercase --documents all --name student
"$lapidary" distill --workspace workspace --teacher "$minilm" --tokenizer student --layers 4 --hidden 384 --inner 384 --positions 320 \
  --corpus en.txt --translations ru-en-long.tsv --lines questions-en.txt questions-formed-en.txt passages-en.txt \
  --epochs 16 --lr 1e-3 --similarities 120 --batch 512 --max-length 320 --stored f16 --name base
echo "$PWD/workspace/models/base/v1 holds what assets/base-encoder does, but for its README.md"
