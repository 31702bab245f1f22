"""transformers as `bench:start` sees it: a process that loads a model in float32 and makes the first
sample, the first score or the first AdamW step, as a script of a user would, and ends.

  python torchStart.py REQUEST     with the fields of bench/support/startRequest.ts as JSON

A line of JSON on stdout when the weights are in memory and one when the work is done: {mark,
peakBytes, minorFaults, majorFaults, userSeconds, systemSeconds, result}.
"""

import json
import os
import resource
import sys

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402


def peak_bytes():
    """VmHWM; ru_maxrss would count what the parent held before exec."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def tell(mark, result=None):
    used = resource.getrusage(resource.RUSAGE_SELF)
    line = {
        "mark": mark,
        "peakBytes": peak_bytes(),
        "minorFaults": used.ru_minflt,
        "majorFaults": used.ru_majflt,
        "userSeconds": used.ru_utime,
        "systemSeconds": used.ru_stime,
    }
    if result is not None:
        line["result"] = result
    answers.write(json.dumps(line) + "\n")


def sample(model, tokenizer, request):
    tokens = request["tokens"]
    begin = torch.full((request["samples"], 1), tokenizer.bos_token_id)
    with torch.inference_mode():
        written = model.generate(
            begin,
            attention_mask=torch.ones_like(begin),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            pad_token_id=tokenizer.eos_token_id,
        )
    if written.shape != (request["samples"], tokens + 1):
        raise RuntimeError(f"the samples are {tuple(written.shape)}")
    tokenizer.batch_decode(written)


def score(model, _tokenizer, request):
    ids = torch.tensor(request["rows"])
    with torch.inference_mode():
        logits = model(ids, use_cache=False).logits[:, :-1]
        logprobs = torch.log_softmax(logits, -1).gather(-1, ids[:, 1:, None])
        return logprobs.double().sum().item()


def step(model, _tokenizer, request):
    ids = torch.tensor(request["rows"])
    model.train()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-5, fused=True)
    loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    return loss.item()


def main():
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    tokenizer = AutoTokenizer.from_pretrained(request["folder"])
    model = AutoModelForCausalLM.from_pretrained(request["folder"], dtype=torch.float32)
    model.eval()
    tell("loaded")
    work = {"sample": sample, "score": score, "step": step}[request["work"]]
    tell("done", work(model, tokenizer, request))


main()
