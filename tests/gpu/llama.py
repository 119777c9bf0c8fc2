#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A randomly initialised Llama under PyTorch and transformers: prefill, then greedy decode steps. Knows nothing of ekkatrace.

Prints one JSON line: tokens, seconds of every timed prefill and decode, peak device memory.
"""
import argparse
import json
import resource
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
    kv_heads = heads if args.no_gqa else kv_heads
    config = LlamaConfig(
        hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv_heads,
        intermediate_size=intermediate, vocab_size=vocabulary, max_position_embeddings=4096, attn_implementation=args.attn)
    torch.manual_seed(0)
    # Weights come from the host, as they do from a checkpoint; drawn as cheaply as their values allow.
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model = model.to_empty(device="cpu").to(getattr(torch, args.dtype))
    for name, p in model.named_parameters():
        p.data = torch.ones_like(p) if name.endswith("norm.weight") else draw(torch, p.shape, p.dtype)
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config)  # its buffer had no values
    return model.to(args.device).eval(), vocabulary


def draw(torch, shape, dtype):
    """Normal numbers of deviation 0.02 from a pool that is drawn once, at a random offset."""
    if not hasattr(draw, "pool"):
        draw.pool = (torch.randn(1 << 22) * 0.02).repeat(2)
    n, half = shape.numel(), len(draw.pool) // 2
    at = int(torch.randint(half, (1,)))
    rows = [draw.pool[at:at + half].to(dtype)] * -(-n // half)
    return torch.cat(rows)[:n].reshape(shape).clone()


def add_hooks(model):
    """What people do without a tool: every leaf module's inputs and outputs go to the CPU. They are thrown away there."""
    def hook(module, inputs, output):
        for x in (*inputs, *(output if isinstance(output, tuple) else (output,))):
            if hasattr(x, "cpu"):
                x.cpu()

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(hook)


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
    parser.add_argument("--backend", choices=["flash", "efficient", "cudnn", "math"], help="of SDPA (default: PyTorch's choice)")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--tf32", action="store_true", help="let products of float32 round their operands to tf32")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--no-gqa", action="store_true", help="as many key-value heads as heads: not every back end takes fewer")
    parser.add_argument("--hooks", action="store_true", help="forward hooks that copy what leaf modules read and wrote to the CPU")
    parser.add_argument("--repeat", type=int, default=1, help="timed repetitions; the first is a warm-up when there are more")
    args = parser.parse_args()

    import torch

    for name, enable in (("flash", torch.backends.cuda.enable_flash_sdp), ("efficient", torch.backends.cuda.enable_mem_efficient_sdp),
                         ("cudnn", torch.backends.cuda.enable_cudnn_sdp), ("math", torch.backends.cuda.enable_math_sdp)):
        if args.backend:
            enable(name == args.backend)
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    sync = torch.cuda.synchronize if args.device == "cuda" else lambda: None
    model, vocabulary = build(torch, args)
    if args.hooks:
        add_hooks(model)
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
        "device_used_bytes": -int.__sub__(*torch.cuda.mem_get_info()) if args.device == "cuda" else 0,
        "host_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


if __name__ == "__main__":
    main()
