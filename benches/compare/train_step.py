"""The peer's side of benches/train_step.rs: the same training step in PyTorch.

    train_step.py [--device cpu|cuda] [--precision f32|bf16] [--calls 1|2] [--threads N] [--steps N] [BATCHxLENGTH ...]

A BERT of MiniLM's shape (6 layers, 384 wide, 12 heads, 1,536 inside, 30,522 tokens) with 10 % dropout, MNRL over mean-pooled
normalised embeddings, forward, backward, norm clipping and AdamW; every text full length. Queries and passages go through the
encoder one after the other, as in sentence-transformers, or with --calls 1 together. Prints milliseconds of the median step.
"""

import argparse
import time

import torch
from torch.nn import functional
from transformers import BertConfig, BertModel

WARM_UP = 2


def step(model, optimizer, batch, length, precision, device, calls):
    """Seconds of one step on fresh random texts."""
    tokens = torch.randint(1000, 30000, (2 * batch, length), device=device)
    mask = torch.ones_like(tokens)
    begun = time.perf_counter()
    with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
        hidden = [model(*part)[0].mean(1) for part in zip(tokens.chunk(calls), mask.chunk(calls))]
        embeddings = functional.normalize(torch.cat(hidden).float(), dim=-1)
        scores = 20 * embeddings[:batch] @ embeddings[batch:].T
        loss = functional.cross_entropy(scores.float(), torch.arange(batch, device=device))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def main():
    """Measures every size asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="f32")
    parser.add_argument("--calls", type=int, choices=[1, 2], default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("sizes", nargs="*", default=["16x128"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536
    )
    model = BertModel(config, add_pooling_layer=False).to(options.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5, fused=True)
    for size in options.sizes:
        batch, length = map(int, size.split("x"))
        times = [
            step(model, optimizer, batch, length, options.precision, options.device, options.calls)
            for _ in range(WARM_UP + options.steps)
        ]
        times = sorted(times[WARM_UP:])
        median = times[len(times) // 2] * 1e3
        print(
            f"torch {options.device} {options.precision} batch {batch} length {length}: {median:.2f} ms/step "
            f"({times[0] * 1e3:.2f} to {times[-1] * 1e3:.2f}), {2 * batch * length / median * 1e3:.0f} tokens/s",
            flush=True,
        )


if __name__ == "__main__":
    main()
