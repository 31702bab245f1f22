"""Supervised fine-tuning of a model folder with TRL's SFTTrainer, made to do exactly the maths that
our trainer does, on rows the driver has already tokenized and put in order. It is what a user would
run instead of CFS Studio, so whatever does not change the maths stays at TRL's own choice.

  python trlSft.py SPEC.json     writes spec["result"]

spec: {folder, rows: JSONL of {input_ids, labels} (-100: not a target), result, batchRows, threads,
       rates: [learning rate of each step], betas, eps, weightDecay, clip (0: none), seed,
       attention: sdpa|eager, optimizer: adamw_torch_fused|adamw_torch,
       lossType: chunked_nll|nll, gradientCheckpointing}
result: {versions, steps: [{loss, gradNorm, learningRate, seconds, tokens, targets}],
         trainSeconds, peakBytes, baselineBytes, notDecayed: [parameter names]}

`loss` is the mean over the targets of the whole batch; `gradNorm` is before clipping; `seconds` runs
from the end of the step before (data and logging included); batch k is rows k*batchRows onwards.
"""

import json
import os
import resource
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import datasets  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import trl  # noqa: E402
from torch.optim.lr_scheduler import LambdaLR  # noqa: E402


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


class Recorder(transformers.TrainerCallback):
    """One record a step. TRL's log rounds the loss, so the exact one comes from training_step."""

    def __init__(self):
        self.steps = []
        self.loss = None

    def on_train_begin(self, args, state, control, **kwargs):
        self.last = time.perf_counter()

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs):
        self.rate = optimizer.param_groups[0]["lr"]

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "grad_norm" not in logs:
            return
        now = time.perf_counter()
        norm = float(logs["grad_norm"])
        entry = {"loss": self.loss, "gradNorm": norm, "learningRate": self.rate}
        self.steps.append({**entry, **self.counts, "seconds": now - self.last})
        self.last = now


def make_trainer_class(rows, batch_rows, rates, recorder):
    class Trainer(trl.SFTTrainer):
        def create_scheduler(self, num_training_steps, optimizer=None):
            top = max(rates)
            self.lr_scheduler = LambdaLR(
                optimizer or self.optimizer, lambda step: rates[min(step, len(rates) - 1)] / top
            )
            return self.lr_scheduler

        def training_step(self, model, inputs, *rest, **named):
            first = self.state.global_step * batch_rows
            labels = inputs["labels"]
            check_order(inputs["input_ids"], labels, rows[first : first + batch_rows])
            recorder.counts = {"tokens": labels.numel(), "targets": int((labels != -100).sum())}
            loss = super().training_step(model, inputs, *rest, **named)
            recorder.loss = loss.item()
            return loss

    return Trainer


def check_order(ids, labels, expected):
    """TRL must train on our rows in our order with our mask, or the comparison means nothing."""
    for line, marks, row in zip(ids.tolist(), labels.tolist(), expected, strict=True):
        length = len(row["input_ids"])
        if line[:length] != row["input_ids"] or marks[:length] != row["labels"]:
            raise RuntimeError("SFTTrainer did not keep the order or the mask of the rows")
        if any(mark != -100 for mark in marks[length:]):
            raise RuntimeError("SFTTrainer trains on padding")


def main():
    with open(sys.argv[1]) as file:
        spec = json.load(file)
    with open(spec["rows"]) as file:
        rows = [json.loads(line) for line in file]
    rates = spec["rates"]
    needed = len(rates) * spec["batchRows"]
    if len(rows) != needed:
        raise SystemExit(f"{len(rates)} steps need {needed} rows, the file has {len(rows)}")
    torch.set_num_threads(spec["threads"])
    baseline = resident_bytes("VmRSS")

    model = transformers.AutoModelForCausalLM.from_pretrained(
        spec["folder"], dtype=torch.float32, attn_implementation=spec["attention"]
    )
    config = trl.SFTConfig(
        output_dir=os.path.dirname(os.path.abspath(spec["result"])),
        # The same maths as ours: all in float32, rows in the given order, uncut, one batch a step.
        use_cpu=True,
        bf16=False,
        train_sampling_strategy="sequential",
        shuffle_dataset=False,
        packing=False,
        padding_free=False,
        max_length=None,
        per_device_train_batch_size=spec["batchRows"],
        gradient_accumulation_steps=1,
        average_tokens_across_devices=False,
        max_steps=len(rates),
        learning_rate=max(rates),
        adam_beta1=spec["betas"][0],
        adam_beta2=spec["betas"][1],
        adam_epsilon=spec["eps"],
        weight_decay=spec["weightDecay"],
        max_grad_norm=spec["clip"],
        optim=spec["optimizer"],
        loss_type=spec["lossType"],
        gradient_checkpointing=spec["gradientCheckpointing"],
        seed=spec["seed"],
        # No work that we do not do.
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    recorder = Recorder()
    trainer = make_trainer_class(rows, spec["batchRows"], rates, recorder)(
        model=model,
        args=config,
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=transformers.AutoTokenizer.from_pretrained(spec["folder"]),
        callbacks=[recorder],
    )
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start

    decayed = set(trainer.get_decay_parameter_names(model))
    modules = (torch, transformers, trl)
    result = {
        "versions": {module.__name__: module.__version__ for module in modules},
        "steps": recorder.steps,
        "trainSeconds": seconds,
        "peakBytes": resident_bytes("VmHWM"),
        "baselineBytes": baseline,
        "notDecayed": [name for name, _ in model.named_parameters() if name not in decayed],
    }
    with open(spec["result"], "w") as file:
        json.dump(result, file)


main()
