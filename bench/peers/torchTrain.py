"""A PyTorch training step behind JSON lines, so that the benchmark can alternate its own steps with
PyTorch's in one run: whatever slows the machine down slows both.

One request a line on stdin, one answer a line on stdout, as in bench/peers/lineProcess.ts:
  {"id", "command", ...} -> {"id", "ok": true, "result": {...}} or {"id", "ok": false, "error"}

  load    {folder, attention: eager|sdpa, optimizer: loop|foreach|fused, mode: eager|compile,
           precision: float32|bfloat16, lr, betas, eps, weightDecay, clip (0: none), seed}
          bfloat16: autocast, as PyTorch trains at its fastest; weights stay float32
          -> {parameters, compiler}
  step    {batch, time, ids?: [batch*time]}  every token but a row's first is a target; without ids
          the tokens are random
          -> {loss, gradNorm, seconds, forward, backward, optimizer}  (seconds; clipping is in optimizer)
  memory  {} -> {peakBytes, baselineBytes}  resident size: highest ever, and before the model was loaded
  quit    {}, which has no answer
"""

import json
import os
import resource
import shutil
import sys
import time

# Libraries print to stdout; the answers must have it to themselves.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"

import torch  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402


def resident_bytes(field):
    """VmHWM or VmRSS; ru_maxrss would count what the parent held before exec."""
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
    except FileNotFoundError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Trainer:
    def __init__(self):
        self.baseline = resident_bytes("VmRSS")

    def load(self, request):
        self.model = None
        torch.manual_seed(request["seed"])
        self.generator = torch.Generator().manual_seed(request["seed"])
        model = AutoModelForCausalLM.from_pretrained(
            request["folder"], dtype=torch.float32, attn_implementation=request["attention"]
        )
        model.config.use_cache = False
        model.train()
        flags = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
        self.parameters = list(model.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=request["lr"],
            betas=tuple(request["betas"]),
            eps=request["eps"],
            weight_decay=request["weightDecay"],
            **flags[request["optimizer"]],
        )
        self.clip = request["clip"]
        self.autocast = request["precision"] == "bfloat16"
        self.vocabulary = model.config.vocab_size
        compiler = None
        if request["mode"] == "compile":
            compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
            if compiler is None:
                raise RuntimeError("torch.compile needs a C++ compiler, and none was found")
            model = torch.compile(model)
        self.model = model
        return {"parameters": sum(p.numel() for p in self.parameters), "compiler": compiler}

    def step(self, request):
        shape = (request["batch"], request["time"])
        ids = request.get("ids")
        if ids is None:
            tokens = torch.randint(self.vocabulary, shape, generator=self.generator)
        else:
            tokens = torch.tensor(ids, dtype=torch.long).reshape(shape)
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.autocast):
            loss = self.model(input_ids=tokens, labels=tokens).loss
        after_forward = time.perf_counter()
        loss.backward()
        after_backward = time.perf_counter()
        norm = None
        if self.clip > 0:
            norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip).item()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        end = time.perf_counter()
        return {
            "loss": loss.item(),
            "gradNorm": norm,
            "seconds": end - start,
            "forward": after_forward - start,
            "backward": after_backward - after_forward,
            "optimizer": end - after_backward,
        }

    def memory(self, _request):
        return {"peakBytes": resident_bytes("VmHWM"), "baselineBytes": self.baseline}


def main():
    threads = int(os.environ.get("CFS_PEER_THREADS", "0"))
    if threads > 0:
        torch.set_num_threads(threads)
    trainer = Trainer()
    commands = {"load": trainer.load, "step": trainer.step, "memory": trainer.memory}
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"id": request["id"]}
        if request["command"] == "quit":
            return
        try:
            answer = {**answer, "ok": True, "result": commands[request["command"]](request)}
        except Exception as error:  # every failure is the driver's to report, by name
            text = f"{type(error).__name__}: {error}"
            answer = {**answer, "ok": False, "error": text.strip()[:2000]}
        answers.write(json.dumps(answer) + "\n")


main()
