#!/usr/bin/env python3
"""Rebuilds assets/base-encoder, the small model that is compiled into lapidary, from sentence-transformers/all-MiniLM-L6-v2.

    make-base-encoder.py gather TEXT [--megabytes 30]                     English documentation found on this machine, for the two steps below
    make-base-encoder.py cut TEACHER OUT --text TEXT [--layers 1,2,3] ...  fewer layers, fewer pieces, narrower feed-forward, f16
    make-base-encoder.py distil TEACHER STUDENT OUT --text TEXT [...]      repairs the cut: the student learns the teacher's own sentence embeddings
    make-base-encoder.py measure MODEL --data BEIR [--split train] [...]   MRR@10 without any tuning

TEACHER, STUDENT and OUT are sentence-transformers folders. Needs torch, transformers, tokenizers, safetensors and, for `measure`, sentence-transformers.
No question and no passage of a retrieval benchmark is read by `gather`, `cut` or `distil`. Every random choice is seeded.
"""
import argparse, collections, glob, gzip, hashlib, html, json, os, random, re, shutil, subprocess, sys, time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


# ---------------------------------------------------------------------------------------------------------------- gather

def prose_of(path):
    """The paragraphs of English prose in a file: mark-up, code and tables are left out."""
    try:
        raw = gzip.open(path).read() if path.endswith(".gz") else open(path, "rb").read()
        text = raw[:400_000].decode("utf-8")
    except (OSError, UnicodeDecodeError, EOFError):
        return []
    if "<html" in text[:2000].lower():
        text = re.sub(r"(?s)<(script|style|head|nav|pre).*?</\1>", " ", text)
        text = re.sub(r"</?(p|h\d|li|div|td|dd|dt|section|br)\b[^>]*>", "\n\n", text)
        text = html.unescape(re.sub(r"<[^>]+>", "", text))
    elif "/man/" in path:
        text = re.sub(r"(?m)^\.(TP|PP|P|SH|SS|LP|IP|sp|br|RS|RE|HP|Pp|Sh|Ss|It|Bl|El)\b.*$", "\n", text)
        text = re.sub(r"(?m)^[.'](\\\".*|[A-Za-z]+ ?)", "", text)
        text = re.sub(r"\\f(\[\w*\]|\(..|.)|\\&|\\s[-+]?\d", "", text).replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")
    elif path.endswith(".py"):
        text = "\n\n".join(re.findall(r'(?s)"""(.*?)"""', text))
    elif path.endswith(".rs"):
        text = re.sub(r"(?s)```.*?```", "", "\n".join(m if m.strip() else "" for m in re.findall(r"(?m)^\s*//[/!] ?(.*)$", text)))
    else:
        text = re.sub(r"(?s)```.*?```", "", text)
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        paragraph = " ".join(paragraph.split())
        letters = sum(c.isascii() and (c.isalpha() or c in " ,.") for c in paragraph)
        if len(paragraph.split()) >= 8 and letters > 0.93 * len(paragraph) and re.search(r"\b(the|a|of|to|is|in)\b", paragraph):
            found.append(paragraph)
    return found


def gather(a):
    """Writes one paragraph a line. Repeated paragraphs are written once; the order is shuffled with a fixed seed."""
    output = lambda *command: subprocess.run(command, capture_output=True, text=True).stdout.strip()
    roots = [("/usr/share/man", (".gz",)), ("/usr/share/doc", (".gz", ".txt", ".md", ".rst", ".html", "README", "NEWS")), ("/usr/share/info", (".gz",)),
             ("/usr/share/perl", (".pod", ".pm")), (os.path.dirname(os.__file__), (".py", ".txt", ".md", ".rst")),
             (os.path.join(output("rustc", "--print", "sysroot"), "share/doc"), (".html", ".md")),
             (os.path.expanduser(os.environ.get("CARGO_HOME", "~/.cargo")) + "/registry/src", (".rs", ".md"))]
    order, seen, kept = random.Random(13), set(), []
    for root, endings in roots:
        paths = sorted(os.path.join(folder, file) for folder, _, files in os.walk(root) for file in files if file.endswith(endings))
        order.shuffle(paths)
        size = 0
        for path in paths:
            for paragraph in prose_of(path):
                key = hashlib.md5(paragraph.lower().encode()).digest()[:8]
                if key not in seen:
                    seen.add(key)
                    kept.append(paragraph)
                    size += len(paragraph) + 1
            if size > a.megabytes * 1e6 / len(roots) * 1.6:
                break
        print(f"{root}: {size / 1e6:.1f} MB", file=sys.stderr)
    order.shuffle(kept)
    with open(a.out, "w", encoding="utf-8") as file:
        written = 0
        for paragraph in kept:
            if written > a.megabytes * 1e6:
                break
            written += file.write(paragraph + "\n")
    print(f"{a.out}: {written / 1e6:.1f} MB")


# ------------------------------------------------------------------------------------------------------------------- cut

def choose_pieces(tokenizer_json, text, wanted, order):
    """The ids to keep, ascending. Special tokens and every single character of ASCII, Latin-1 and Cyrillic, alone and as a continuation, always
    stay, so that no common word becomes [UNK]; then the pieces used most. Pieces of one character in other scripts and the unused slots go first.

    `counts`: how often the piece occurs in `text`, each count of a word damped by a square root so that the jargon of documentation does not
    crowd out plain English. `original`: the order of the original vocabulary, which is roughly by frequency. `both`: alternately from the two."""
    from tokenizers import Tokenizer
    vocab = json.load(open(tokenizer_json, encoding="utf-8"))["model"]["vocab"]
    keep = {vocab[t] for t in SPECIAL}
    plain = lambda c: ord(c) < 0x100 or 0x400 <= ord(c) < 0x500 or c in "–—‘’“”…°·′″№€™"
    rest = {}
    for piece, i in vocab.items():
        bare = piece.removeprefix("##")
        if len(bare) == 1:
            if plain(bare):
                keep.add(i)
        elif not piece.startswith("["):
            rest[i] = piece
    if len(keep) > wanted:
        sys.exit(f"{wanted} pieces do not hold the {len(keep)} single characters and special tokens")
    latin = re.compile(r"^(##)?[a-z0-9']+$")
    by_original = [i for i in sorted(rest) if latin.match(rest[i])]
    tokenizer = Tokenizer.from_file(tokenizer_json)
    tokenizer.no_truncation(), tokenizer.no_padding()
    words, pieces = collections.Counter(), collections.Counter()
    for line in open(text, encoding="utf-8"):
        words.update(re.findall(r"[^\W_]+", line.lower()))
    common = [w for w, n in words.items() if n > 1]
    for start in range(0, len(common), 10_000):
        part = common[start:start + 10_000]
        for word, encoding in zip(part, tokenizer.encode_batch(part, add_special_tokens=False)):
            for i in encoding.ids:
                pieces[i] += words[word] ** 0.5
    by_counts = [i for i, _ in sorted(pieces.items(), key=lambda p: (-p[1], p[0])) if i in rest]
    queues = {"counts": [by_counts, by_original], "original": [by_original], "both": [by_counts, by_original]}[order]
    if order == "both":
        mixed = [i for two in zip(by_counts, by_original) for i in two]
        queues = [mixed, by_counts, by_original]
    for queue in queues:
        for i in queue:
            if len(keep) >= wanted:
                break
            keep.add(i)
    return sorted(keep)


def narrow_feed_forward(state, layers, tokenizer, teacher, text, inner):
    """Keeps, in each layer, the inner neurons that add most to the residual stream: mean |activation| times the norm of the outgoing weights."""
    import torch
    from transformers import AutoModel
    model = AutoModel.from_pretrained(teacher).eval()
    strength = {}
    hooks = [model.encoder.layer[n].intermediate.register_forward_hook(
        lambda _m, _i, out, n=n: strength.__setitem__(n, strength.get(n, 0) + out.abs().flatten(0, -2).sum(0))) for n in layers]
    lines = [line for line, _ in zip(open(text, encoding="utf-8"), range(256))]
    with torch.no_grad():
        for start in range(0, len(lines), 32):
            batch = [e[:64] for e in (x.ids for x in tokenizer.encode_batch(lines[start:start + 32]))]
            width = max(map(len, batch))
            ids = torch.tensor([e + [0] * (width - len(e)) for e in batch])
            model(input_ids=ids, attention_mask=torch.tensor([[1] * len(e) + [0] * (width - len(e)) for e in batch]))
    for hook in hooks:
        hook.remove()
    for n in layers:
        name = f"encoder.layer.{n}"
        worth = strength[n] * state[f"{name}.output.dense.weight"].float().norm(dim=0)
        best = worth.topk(inner).indices.sort().values
        for key in ("intermediate.dense.weight", "intermediate.dense.bias"):
            state[f"{name}.{key}"] = state[f"{name}.{key}"][best]
        state[f"{name}.output.dense.weight"] = state[f"{name}.output.dense.weight"][:, best]


def write_folder(out, teacher, state, config, vocab, tokenizer_json):
    """A sentence-transformers folder in the layout that every version of the library reads."""
    from safetensors.torch import save_file
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(f"{out}/1_Pooling")
    save_file({k: v.half().contiguous() for k, v in sorted(state.items())}, f"{out}/model.safetensors", metadata={"format": "pt"})
    tokenizer_config = json.load(open(f"{teacher}/tokenizer_config.json"))
    tokenizer_config.update(model_max_length=config["max_position_embeddings"])
    tokenizer_config.pop("name_or_path", None)
    files = {
        "config.json": config,
        "tokenizer_config.json": tokenizer_config,
        "sentence_bert_config.json": {"max_seq_length": min(256, config["max_position_embeddings"]), "do_lower_case": False},
        "tokenizer.json": tokenizer_json,
    }
    for name, value in files.items():
        with open(f"{out}/{name}", "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, indent=None if name == "tokenizer.json" else 2, separators=(",", ":") if name == "tokenizer.json" else None)
            file.write("\n")
    for name in ("modules.json", "special_tokens_map.json", "config_sentence_transformers.json", "1_Pooling/config.json"):
        shutil.copyfile(f"{teacher}/{name}", f"{out}/{name}")
    with open(f"{out}/vocab.txt", "w", encoding="utf-8") as file:
        file.writelines(piece + "\n" for piece in vocab)


def cut(a):
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    layers = [int(n) - 1 for n in a.layers.split(",")]
    full = {k.removeprefix("bert."): v for k, v in load_file(f"{a.teacher}/model.safetensors").items()}
    config = json.load(open(f"{a.teacher}/config.json"))
    data = json.load(open(f"{a.teacher}/tokenizer.json", encoding="utf-8"))
    kept = list(range(config["vocab_size"])) if a.pieces == 0 else choose_pieces(f"{a.teacher}/tokenizer.json", a.text, a.pieces, a.order)
    if a.inner < config["intermediate_size"]:
        tokenizer = Tokenizer.from_file(f"{a.teacher}/tokenizer.json")
        tokenizer.no_truncation(), tokenizer.no_padding()
        narrow_feed_forward(full, layers, tokenizer, a.teacher, a.text, a.inner)

    # Position ids are a constant and the pooler is not used by mean pooling: neither is kept.
    state = {k: v for k, v in full.items() if k.startswith("embeddings.") and "position_ids" not in k}
    state["embeddings.word_embeddings.weight"] = full["embeddings.word_embeddings.weight"][kept]
    state["embeddings.position_embeddings.weight"] = full["embeddings.position_embeddings.weight"][:a.positions]
    for new, old in enumerate(layers):
        prefix = f"encoder.layer.{old}."
        state |= {f"encoder.layer.{new}.{k.removeprefix(prefix)}": v for k, v in full.items() if k.startswith(prefix)}

    new_id = {old: new for new, old in enumerate(kept)}
    pieces = sorted((i, p) for p, i in data["model"]["vocab"].items() if i in new_id)
    data["model"]["vocab"] = {piece: new_id[old] for old, piece in pieces}
    for token in data["added_tokens"]:
        token["id"] = new_id[token["id"]]
    special = data["post_processor"]
    if special["type"] == "TemplateProcessing":
        for token in special["special_tokens"].values():
            token["ids"] = [new_id[i] for i in token["ids"]]
    else:
        for side in ("sep", "cls"):
            special[side][1] = new_id[special[side][1]]
    data["truncation"] = data["padding"] = None
    config.update(num_hidden_layers=len(layers), vocab_size=len(kept), max_position_embeddings=a.positions, intermediate_size=a.inner,
                  pad_token_id=new_id[config["pad_token_id"]], torch_dtype="float32")  # stored in f16, computed in f32
    config.pop("_name_or_path", None)
    write_folder(a.out, a.teacher, state, config, [piece for _, piece in pieces], data)
    size = sum(os.path.getsize(f) for f in glob.glob(f"{a.out}/**", recursive=True) if os.path.isfile(f))
    print(f"{a.out}: layers {a.layers}, {len(kept)} pieces, inner {a.inner}, {size:,} bytes")


# ---------------------------------------------------------------------------------------------------------------- distil

class Embedder:
    """A BERT encoder with mean pooling and normalisation, as both models use it, over lists of token ids."""

    def __init__(self, folder):
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModel
        self.model = AutoModel.from_pretrained(folder, add_pooling_layer=False, dtype=torch.float32)
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.tokenizer.no_truncation(), self.tokenizer.no_padding()

    def ids(self, texts, limit):
        return [x.ids if len(x.ids) <= limit else x.ids[:limit - 1] + x.ids[-1:] for x in self.tokenizer.encode_batch(texts)]

    def __call__(self, batch):
        import torch
        width = max(map(len, batch))
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in batch])
        hidden = self.model(input_ids=torch.tensor([ids + [0] * (width - len(ids)) for ids in batch]), attention_mask=mask).last_hidden_state
        mask = mask.unsqueeze(-1).float()
        return torch.nn.functional.normalize((hidden.float() * mask).sum(1) / mask.sum(1), dim=-1)


def snippets(text, count, seed):
    """Texts of the kinds a retrieval model meets: a few words (a third of them), one sentence (a third), a whole paragraph (a third)."""
    lines = open(text, encoding="utf-8").read().splitlines()
    order, found = random.Random(seed), []
    order.shuffle(lines)
    for n, line in enumerate(lines * (1 + count // max(1, len(lines)))):
        if len(found) == count:
            break
        sentences = re.split(r"(?<=[.!?]) +(?=[A-Z])", line)
        if n % 3 == 0:
            words = order.choice(sentences).split()
            size = order.randint(3, 12)
            at = order.randint(0, max(0, len(words) - size))
            found.append(" ".join(words[at:at + size]))
        else:
            found.append(order.choice(sentences) if n % 3 == 1 else line)
    return found


def distil(a):
    """Minimises 1 - cos(student, teacher) plus the squared error of the cosines within a batch, which is what a ranking sees."""
    import torch
    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    teacher, student = Embedder(a.teacher), Embedder(a.student)
    teacher.model.eval(), student.model.eval()  # no dropout: there is far more text than the student can fit
    texts = snippets(a.text, a.texts, a.seed)
    held_out, texts = texts[:512], texts[512:]
    # Batches of like length, in random order: a batch is cut from a window of 32 batches that is sorted by length.
    order, batches = random.Random(a.seed), []
    window = a.batch * 32
    for start in range(0, len(texts), window):
        part = sorted(texts[start:start + window], key=len)
        batches += [part[i:i + a.batch] for i in range(0, len(part) - a.batch + 1, a.batch)]
    order.shuffle(batches)
    parameters = [p for p in student.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=a.lr, weight_decay=0.01, betas=(0.9, 0.98))
    warm = max(1, len(batches) // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / warm, max(0.02, 1 - s / len(batches))))

    def agreement():
        with torch.no_grad():
            return sum((student(student.ids(part, a.length)) * teacher(teacher.ids(part, a.length))).sum().item()
                       for part in (held_out[i:i + 64] for i in range(0, 512, 64))) / 512

    print(f"{len(batches)} steps of {a.batch}; cosine to the teacher on 512 held-out texts: {agreement():.4f}", flush=True)
    began, spent = time.time(), time.process_time()
    for step, part in enumerate(batches):
        with torch.no_grad():
            wanted = teacher(teacher.ids(part, a.length))
        got = student(student.ids(part, a.length))
        loss = (1 - (got * wanted).sum(-1)).mean() + a.relation * ((got @ got.T - wanted @ wanted.T) ** 2).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step} loss {loss.item():.4f} {time.time() - began:.0f} s ({time.process_time() - spent:.0f} s of CPU)", flush=True)
    print(f"after: {agreement():.4f}, {time.process_time() - spent:.0f} s of CPU", flush=True)
    config = json.load(open(f"{a.student}/config.json"))
    vocab = open(f"{a.student}/vocab.txt", encoding="utf-8").read().splitlines()
    state = {k: v for k, v in student.model.state_dict().items() if "position_ids" not in k and "token_type_ids" not in k}
    write_folder(a.out, a.student, state, config, vocab, json.load(open(f"{a.student}/tokenizer.json", encoding="utf-8")))


# --------------------------------------------------------------------------------------------------------------- measure

def measure(a):
    """MRR@10 of a split's questions among all passages, or among the first --passages of those documents the split asks about."""
    import numpy
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(a.threads)
    model = SentenceTransformer(a.model, device="cpu").float()
    model.max_seq_length = a.length
    result = {"model": a.model, "split": a.split}
    for data in a.data:
        rows = lambda name: [json.loads(line) for line in open(f"{data}/{name}.jsonl", encoding="utf-8")]
        passages, queries, relevant = {r["_id"]: r["text"] for r in rows("corpus")}, {r["_id"]: r["text"] for r in rows("queries")}, {}
        for line in open(f"{data}/qrels/{a.split}.tsv").read().splitlines()[1:]:
            query, passage, _ = line.split("\t")
            relevant.setdefault(query, set()).add(passage)
        if a.passages:
            asked = [p for p in passages if any(p in found for found in relevant.values())]
            passages = {p: passages[p] for p in asked[:a.passages]}
            relevant = {q: found for q, found in relevant.items() if found <= passages.keys()}
        asked = sorted(relevant)[:a.questions or None]
        encode = lambda texts: model.encode(texts, batch_size=32, normalize_embeddings=True)
        ids, scores = list(passages), encode([queries[q] for q in asked]) @ encode(list(passages.values())).T
        total = 0.0
        for query, row in zip(asked, scores):
            ranked = [ids[i] in relevant[query] for i in numpy.argsort(-row, kind="stable")[:10]]
            total += 1 / (1 + ranked.index(True)) if any(ranked) else 0
        result[os.path.basename(os.path.normpath(data))] = {"questions": len(asked), "passages": len(ids), "mrr10": round(total / len(asked), 4)}
    print(json.dumps(result), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    g = commands.add_parser("gather")
    g.add_argument("out")
    g.add_argument("--megabytes", type=float, default=30)
    g.set_defaults(do=gather)
    c = commands.add_parser("cut")
    c.add_argument("teacher"), c.add_argument("out")
    c.add_argument("--text", required=True)
    c.add_argument("--layers", default="1,2,3", help="which of the teacher's layers, from 1")
    c.add_argument("--pieces", type=int, default=12000, help="rows of the vocabulary; 0: all")
    c.add_argument("--order", choices=["counts", "original", "both"], default="both")
    c.add_argument("--inner", type=int, default=1536, help="width of the feed-forward layers")
    c.add_argument("--positions", type=int, default=256)
    c.set_defaults(do=cut)
    d = commands.add_parser("distil")
    d.add_argument("teacher"), d.add_argument("student"), d.add_argument("out")
    d.add_argument("--text", required=True)
    d.add_argument("--texts", type=int, default=30000)
    d.add_argument("--batch", type=int, default=32)
    d.add_argument("--length", type=int, default=96, help="tokens of a text that are read")
    d.add_argument("--lr", type=float, default=3e-4)
    d.add_argument("--relation", type=float, default=2.0, help="weight of the error of the cosines within a batch")
    d.set_defaults(do=distil)
    m = commands.add_parser("measure")
    m.add_argument("model")
    m.add_argument("--data", nargs="+", required=True)
    m.add_argument("--split", default="train")
    m.add_argument("--length", type=int, default=256)
    m.add_argument("--passages", type=int, default=0)
    m.add_argument("--questions", type=int, default=0)
    m.set_defaults(do=measure)
    for command in (c, d, m):
        command.add_argument("--threads", type=int, default=1)
        command.add_argument("--seed", type=int, default=13)
    a = parser.parse_args()
    a.do(a)


if __name__ == "__main__":
    main()
