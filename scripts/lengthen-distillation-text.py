#!/usr/bin/env python3
"""Make long texts of what gather-distillation-text.py gathered: most of it is short, and what is searched is long.

    lengthen-distillation-text.py OUT

reads en.txt and ru-en.tsv in OUT and writes there

    passages-en.txt   windows of 60 to 180 words of every longer English
                      document, cut between sentences, one a line
    ru-en-long.tsv    ru-en.tsv, and its sentences of eight words or more
                      joined at random to passages of two to seven

Python's standard library; the same files for the same input.
"""

import argparse
import pathlib
import random
import re

SEED = 7
WINDOW_WORDS = 60, 180
LEAST_WORDS, MOST_WORDS = 40, 240
LONG_DOCUMENT = 80
JOINED = 2, 7
JOINED_WORDS = 8


def windows(text, rng):
    """Runs of sentences, of random lengths, from one of the first three on."""
    sentences = re.split(r"(?<=[.?!])[\"')]*\s+(?=[\"'(]?[A-Z])", text)
    at = rng.randrange(0, 3)
    while at < len(sentences):
        wanted, window, words = rng.randint(*WINDOW_WORDS), [], 0
        while at < len(sentences) and words < wanted:
            window.append(sentences[at])
            words += len(sentences[at].split())
            at += 1
        if LEAST_WORDS <= words <= MOST_WORDS:
            yield " ".join(window)


def joined(pairs, rng):
    """Passages of sentences that have nothing to do with each other, in both languages."""
    pairs = [pair for pair in pairs if len(pair[0].split()) >= JOINED_WORDS]
    rng.shuffle(pairs)
    at = 0
    while at < len(pairs):
        count = rng.randint(*JOINED)
        yield [" ".join(texts) for texts in zip(*pairs[at : at + count])]
        at += count


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("out", type=pathlib.Path, help="the folder with en.txt and ru-en.tsv")
    out = arguments.parse_args().out
    rng = random.Random(SEED)
    with open(out / "passages-en.txt", "w", encoding="utf-8") as file:
        for document in (out / "en.txt").read_text(encoding="utf-8").split("\n\n"):
            text = " ".join(document.split())
            if text.count(" ") > LONG_DOCUMENT:
                file.writelines(f"{window}\n" for window in windows(text, rng))
    pairs = [line.split("\t") for line in (out / "ru-en.tsv").read_text(encoding="utf-8").splitlines()]
    with open(out / "ru-en-long.tsv", "w", encoding="utf-8") as file:
        file.writelines(f"{english}\t{russian}\n" for english, russian in [*pairs, *joined(pairs, rng)])


if __name__ == "__main__":
    main()
