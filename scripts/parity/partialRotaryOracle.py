"""Reference numbers for a Llama that rotates a part of each head: writes `test/fixtures/oracles/*`.

    python scripts/parity/partialRotaryOracle.py test/fixtures/oracles

Needs torch, safetensors and transformers 5.18.0. Its `LlamaForCausalLM` ignores
`partial_rotary_factor` with plain rotary embedding and fails with a scaled one. `Phi3ForCausalLM`
honours it, and is a Llama whose q, k, v and whose gate and up matrices are stored as one; so the
numbers are Phi-3's, taken apart under Llama's names. Phi-3 knows no Llama 3 scaling: there it gets
the frequencies that transformers computes for the Llama configuration.

The format is that of the other oracle folders, see `oracle.ts`. All is computed in float64: what
transformers raises to float32 inside is raised to float64 here.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import LlamaConfig, Phi3Config, Phi3ForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

torch.float32 = torch.float = torch.float64
torch.Tensor.float = torch.Tensor.double

HIDDEN, INNER, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 16, 24, 4, 2, 8, 40
SHAPE = {
    "vocab_size": VOCAB,
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_hidden_layers": 2,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD_DIM,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
THETA = 100.0
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
PARTS = {
    "self_attn.qkv_proj.weight": [
        ("self_attn.q_proj.weight", HEADS * HEAD_DIM),
        ("self_attn.k_proj.weight", KV_HEADS * HEAD_DIM),
        ("self_attn.v_proj.weight", KV_HEADS * HEAD_DIM),
    ],
    "mlp.gate_up_proj.weight": [("mlp.gate_proj.weight", INNER), ("mlp.up_proj.weight", INNER)],
}


def main(target: Path) -> None:
    assert transformers.__version__ == "5.18.0", transformers.__version__
    write(target / "llama-partial-rotary", None, 3)
    write(target / "llama3-partial-rotary", LLAMA3, 4)


def write(folder: Path, scaling: dict | None, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = {"model_type": "llama", **SHAPE}
    rope = {**(scaling or {"rope_type": "default"}), "rope_theta": THETA}
    old = {**head, "rope_theta": THETA, "rope_scaling": scaling, "partial_rotary_factor": 0.5}
    new = {**head, "rope_parameters": {**rope, "partial_rotary_factor": 0.5}}
    write_json(folder / "config.json", old)
    write_json(folder / "config.v5.json", new)
    model = random_model(new["rope_parameters"], seed)
    weights = {
        name: torch.from_numpy(value.detach().numpy().astype("float32"))
        for name, value in llama_names(dict(model.named_parameters()))
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    expected = {
        "source": {"transformers": transformers.__version__, "torch": torch.__version__, "seed": seed},
        **numbers(model, seed),
    }
    write_json(folder / "expected.json", expected)


def random_model(rope: dict, seed: int) -> Phi3ForCausalLM:
    # The config checks the scaling's name; its frequencies are put in below.
    plain = {"rope_type": "default", "rope_theta": THETA, "partial_rotary_factor": 0.5}
    config = Phi3Config(**SHAPE, rope_parameters=plain, pad_token_id=None, eos_token_id=None)
    config._attn_implementation = "eager"
    model = Phi3ForCausalLM(config).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64)
            drawn = 1 + 0.1 * drawn if value.dim() == 1 else 0.3 * drawn
            # What is stored is float32, so what is computed with is the same numbers.
            value.copy_(torch.from_numpy(drawn.numpy().astype("float32")).double())
    if rope["rope_type"] != "default":
        frequencies, factor = ROPE_INIT_FUNCTIONS[rope["rope_type"]](
            LlamaConfig(**SHAPE, rope_parameters=rope), "cpu"
        )
        assert factor == 1.0
        model.model.rotary_emb.inv_freq.copy_(frequencies)
    return model


def numbers(model: Phi3ForCausalLM, seed: int) -> dict:
    generator = torch.Generator().manual_seed(seed + 100)
    ids = torch.randint(0, VOCAB, (2, 17), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 11:] = 0
    labels = ids.clone()
    labels[0, :6] = -100
    labels[1, :4] = -100
    labels[mask == 0] = -100
    logits = model(input_ids=ids, attention_mask=mask).logits
    assert logits.dtype == torch.float64
    targets = labels[:, 1:]
    nll = torch.nn.functional.cross_entropy(
        logits[:, :-1].transpose(1, 2), targets, reduction="none", ignore_index=-100
    )
    loss = nll.sum() / (targets != -100).sum()
    loss.backward()
    gradients = {name: value.grad for name, value in model.named_parameters()}
    norm = sum(value.square().sum() for value in gradients.values()).sqrt()
    return {
        "input_ids": ids.tolist(),
        "attention_mask": mask.tolist(),
        "labels": labels.tolist(),
        "loss": digits(loss),
        "token_nll": [
            [digits(value) if label != -100 else None for value, label in zip(*row)]
            for row in zip(nll.tolist(), targets.tolist())
        ],
        "logits_row0": digits(logits[0]),
        "logits_row1_last_real": digits(logits[1, 10]),
        "grads": {name: summary(value) for name, value in llama_names(gradients)},
        "grad_norm": digits(norm),
        "greedy": greedy(model, ids[0, :5].tolist()),
    }


def greedy(model: Phi3ForCausalLM, prompt: list[int]) -> dict:
    ids = list(prompt)
    gaps = []
    with torch.no_grad():
        for _ in range(12):
            top = model(input_ids=torch.tensor([ids])).logits[0, -1].topk(2)
            gaps.append((top.values[0] - top.values[1]).item())
            ids.append(top.indices[0].item())
    assert min(gaps) > 0.03, min(gaps)
    return {"prompt": prompt, "continuation": ids[len(prompt) :]}


def llama_names(values: dict) -> list:
    named = []
    for name, value in values.items():
        prefix, _, rest = name.rpartition("self_attn.") if "self_attn." in name else name.rpartition("mlp.")
        fused = name[len(prefix) :]
        if fused not in PARTS:
            named.append((name, value))
            continue
        rows = [count for _, count in PARTS[fused]]
        for (part, _), block in zip(PARTS[fused], value.split(rows)):
            named.append((prefix + part, block.contiguous()))
    return named


def summary(value: torch.Tensor) -> dict:
    flat = value.flatten()
    count = flat.numel()
    return {
        "shape": list(value.shape),
        "sum": digits(flat.sum()),
        "sumsq": digits(flat.square().sum()),
        "maxabs": digits(flat.abs().max()),
        "first8": digits(flat[:8]),
        "probe": [digits(flat[(2 * i + 1) * count // 16]) for i in range(8)],
    }


def digits(value):
    """Nine significant digits, of a number or of all numbers of a tensor."""
    if isinstance(value, torch.Tensor):
        value = value.tolist()
    return [digits(each) for each in value] if isinstance(value, list) else float(f"{value:.9g}")


def write_json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content) + "\n")


main(Path(sys.argv[1]))
