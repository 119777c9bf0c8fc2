#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A randomly initialised Llama under PyTorch and transformers: prefill, then greedy decode steps. Knows nothing of ekkatrace.

Prints one JSON line: tokens, seconds of every timed prefill and decode, peak device memory.
"""
import argparse
import json
import time

SIZES = {  # hidden, layers, heads, key-value heads, intermediate, vocabulary
    "tiny": (256, 2, 4, 2, 704, 1024),
    "small": (512, 2, 8, 4, 1408, 4096),
    "300m": (1024, 16, 16, 8, 2816, 32000),
    "1b": (2048, 16, 32, 8, 8192, 32000),
}


def build(torch, args):
    from transformers import LlamaConfig, LlamaForCausalLM

    hidden, layers, heads, kv_heads, intermediate, vocabulary = SIZES[args.size]
    config = LlamaConfig(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
        intermediate_size=intermediate, vocab_size=vocabulary, max_position_embeddings=4096, attn_implementation=args.attn)
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, args.dtype))
    with torch.device(args.device):
        model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return model.to(getattr(torch, args.dtype)).eval(), vocabulary


def run(torch, model, prompt, steps, sync):
    """One prefill and `steps` greedy steps; new tokens and both times."""
    start = time.perf_counter()
    out = model(input_ids=prompt, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1].argmax(-1, keepdim=True)
    sync()
    middle = time.perf_counter()
    tokens = [token]
    for _ in range(steps):
        out = model(input_ids=token, past_key_values=out.past_key_values, use_cache=True)
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        tokens.append(token)
    sync()
    return torch.cat(tokens, 1).tolist(), middle - start, time.perf_counter() - middle


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--attn", choices=["sdpa", "eager"], default="sdpa")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=1, help="timed repetitions; the first is a warm-up when there are more")
    args = parser.parse_args()

    import torch

    sync = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    model, vocabulary = build(torch, args)
    generator = torch.Generator().manual_seed(1)
    prompt = torch.randint(0, vocabulary, (args.batch, args.prompt), generator=generator).to(args.device)
    prefill, decode = [], []
    with torch.no_grad():
        for _ in range(args.repeat):
            tokens, a, b = run(torch, model, prompt, args.steps, sync)
            prefill.append(a)
            decode.append(b)
    print(json.dumps({
        "tokens": tokens, "prefill_s": prefill, "decode_s": decode,
        "parameters": sum(p.numel() for p in model.parameters()),
        "device_bytes": torch.cuda.max_memory_allocated() if args.device == "cuda" else 0,
    }))


if __name__ == "__main__":
    main()
