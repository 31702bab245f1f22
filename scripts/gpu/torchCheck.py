"""PyTorch beside the GPU check: the same models, rows and optimizer, float32 and eager, on the same
GPU. It tells what it measures line by line in the words of record.ts, and may be killed at any moment.

Argument: a JSON file {optimizer, shapes: [{shape, folder, batch, time, rows, tokens, timed, ids}]}.
"""

import json
import math
import os
import resource
import sys
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"


def tell(event, **fields):
    # JSON has no NaN.
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in fields.items()
    }
    print("@@" + json.dumps({"event": event, **finite}), flush=True)


try:
    import torch
    import transformers
except ImportError as error:
    sys.exit(f"{error}")

# For trying this script out where there is no GPU.
device = os.environ.get("CFS_GPU_TORCH_DEVICE", "cuda")
if device == "cuda" and not torch.cuda.is_available():
    sys.exit(f"torch {torch.__version__} sees no CUDA device")
on_gpu = device == "cuda"


def now():
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter()


def repeat(timed, tokens, work):
    for index in range(timed + 1):
        began = now()
        fields = work(index)
        tell("pass", tokens=tokens, **{"seconds": now() - began, **fields})


def open_model(spec):
    began = now()
    model = transformers.AutoModelForCausalLM.from_pretrained(spec["folder"], dtype=torch.float32)
    model.to(device)
    count = sum(parameter.numel() for parameter in model.parameters())
    tell("opened", seconds=now() - began, parameters=count)
    return model


def score(spec, _optimizer):
    model = open_model(spec).eval()
    ids = torch.tensor(spec["ids"], device=device)

    def work(_index):
        with torch.no_grad():
            logits = model(input_ids=ids).logits[:, :-1]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        return {"loss": loss.item()}

    repeat(spec["timed"], ids.numel(), work)


def sample(spec, _optimizer):
    model = open_model(spec).eval()
    start = torch.ones((spec["rows"], 1), dtype=torch.long, device=device)
    length = spec["tokens"]

    def work(_index):
        with torch.no_grad():
            model.generate(
                start,
                attention_mask=torch.ones_like(start),
                do_sample=True,
                top_k=0,
                top_p=1.0,
                min_new_tokens=length,
                max_new_tokens=length,
                pad_token_id=0,
            )
        return {}

    repeat(min(spec["timed"], 2), spec["rows"] * length, work)


def train(spec, settings):
    model = open_model(spec).train()
    model.config.use_cache = False
    ids = torch.tensor(spec["ids"], device=device)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        parameters,
        lr=settings["learningRate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        weight_decay=settings["weightDecay"],
        fused=True,
    )

    def work(_index):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        computed = now()
        norm = torch.nn.utils.clip_grad_norm_(parameters, settings["clip"]).item()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return {"loss": loss.item(), "norm": norm, "optimizer": now() - computed}

    repeat(spec["timed"], ids.numel(), work)


def host_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


with open(sys.argv[1]) as file:
    request = json.load(file)
tell("versions", versions={"torch": torch.__version__, "transformers": transformers.__version__})
for spec in request["shapes"]:
    for kind, act in {"score": score, "sample": sample, "train": train}.items():
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        tell("begin", shape=spec["shape"], kind=kind)
        try:
            act(spec, request["optimizer"])
            peak = {"gpuBytes": torch.cuda.max_memory_reserved()} if on_gpu else {}
            tell("end", hostBytes=host_bytes(), **peak)
        except Exception as error:  # what does not fit is told, and the next is tried
            tell("end", hostBytes=host_bytes(), error=f"{type(error).__name__}: {error}"[:500])
