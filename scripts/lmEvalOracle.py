"""What the real lm-evaluation-harness says about a model folder, item by item, as JSON.

Our evaluator claims the harness's rules; this is the other side of that claim. It takes the
harness's own task files (prompts, choices, metrics) and model class, and replaces only where the
data comes from: local files instead of the Hub. `docs/evaluation.md` says how to run it.

Data files, one `--task NAME=FILE` each:
  blimp_*     a BLiMP set (JSONL with sentence_good, sentence_bad); NAME is the harness's task name
  lambada     JSONL with text
  piqa        the original JSONL; its answers in valid-labels.lst beside it
  arc_easy, arc_challenge, hellaswag   JSONL with {context, choices, gold}, taken apart again into
              the fields from which the harness builds the same context

Needs torch, transformers, datasets and lm_eval (0.4.13 was used; `pip install --no-deps` is enough,
the modules that only other tasks need are stubbed).
"""

import argparse
import importlib.util
import json
import os
import sys
import tempfile
from importlib.machinery import ModuleSpec
from pathlib import Path
from unittest.mock import MagicMock

TASK_FILES = {
    "lambada": "lambada/lambada_openai.yaml",
    "piqa": "piqa/piqa.yaml",
    "arc_easy": "arc/arc_easy.yaml",
    "arc_challenge": "arc/arc_challenge.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
}


def main() -> None:
    arguments = parse_arguments()
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with tempfile.TemporaryDirectory() as work:
        os.environ["HF_DATASETS_CACHE"] = str(Path(work) / "cache")
        stub_missing_modules()
        report = evaluate(arguments, Path(work))
    text = json.dumps(report, indent=1)
    if arguments.output:
        arguments.output.write_text(text + "\n")
    else:
        print(text)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Scores of the real lm-evaluation-harness, as JSON.")
    parser.add_argument("model", help="a Hugging Face model folder")
    parser.add_argument("--task", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--limit", type=int, help="use only the first N items of each file")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--output", type=Path, help="where to write the JSON (default: stdout)")
    return parser.parse_args()


def stub_missing_modules() -> None:
    """Modules that lm_eval imports at the top and that none of these tasks uses."""
    # Loaded before the stubs, or these packages would take a stub for an installed module.
    import datasets  # noqa: F401
    import torch._dynamo  # noqa: F401
    from transformers import AutoModelForCausalLM  # noqa: F401

    for name in ["evaluate", "sacrebleu", "sqlitedict", "pytablewriter", "word2number"]:
        if importlib.util.find_spec(name) is None:
            sys.modules[name] = MagicMock(__spec__=ModuleSpec(name, None))


def evaluate(arguments: argparse.Namespace, work: Path) -> dict:
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from transformers import PreTrainedTokenizerFast

    # As the folder's tokenizer.json says. AutoTokenizer in transformers 5 makes a LlamaTokenizer that
    # replaces the file's normalizer by its own, and then encodes two leading spaces differently.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(arguments.model)
    model = HFLM(pretrained=arguments.model, tokenizer=tokenizer, device="cpu", dtype="float32",
                 batch_size=arguments.batch_size)
    tasks, names = [], []
    for entry in arguments.task:
        name, _, file = entry.partition("=")
        names.append(name)
        tasks.append(task_config(name, Path(file), arguments.limit, work))
    result = lm_eval.simple_evaluate(model=model, tasks=tasks, bootstrap_iters=0, log_samples=True)
    assert result is not None
    return {
        "lm_eval": lm_eval.__version__,
        "max_length": model.max_length,
        "prefix_token": model.prefix_token_id,
        "tasks": {name: task_report(model, name, result) for name in names},
    }


def task_config(name: str, source: Path, limit: int | None, work: Path) -> dict:
    """The harness's own task, with its data read from a local file."""
    from lm_eval import tasks as package

    folder = Path(package.__file__).parent
    file = folder / (f"blimp/{name.removeprefix('blimp_')}.yaml" if name.startswith("blimp_")
                     else TASK_FILES[name])
    config = read_task_file(file)
    documents = read_documents(name, source)[:limit]
    data = work / f"{name}.jsonl"
    data.write_text("".join(json.dumps(document) + "\n" for document in documents))
    for key in ["training_split", "validation_split", "dataset_name", "tag", "process_docs"]:
        config.pop(key, None)
    return {**config, "task": name, "test_split": "test", "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}}}


def read_task_file(file: Path) -> dict:
    """A task file with the one it includes; functions named in it are left out."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: None)
    config = yaml.load(file.read_text(), Loader)
    included = config.pop("include", None)
    return {**(read_task_file(file.parent / included) if included else {}), **config}


def read_documents(name: str, source: Path) -> list[dict]:
    documents = [json.loads(line) for line in source.read_text().splitlines() if line.strip()]
    if name == "piqa":
        labels = (source.parent / "valid-labels.lst").read_text().split()
        return [{**document, "label": int(label)}
                for document, label in zip(documents, labels, strict=True)]
    if name == "hellaswag":
        return [{"query": document["context"], "choices": bare_choices(document),
                 "label": document["gold"]} for document in documents]
    if name.startswith("arc_"):
        return [arc_document(document) for document in documents]
    return documents


def arc_document(document: dict) -> dict:
    head, tail = "Question: ", "\nAnswer:"
    context, choices = document["context"], bare_choices(document)
    assert context.startswith(head) and context.endswith(tail), context
    labels = [chr(ord("A") + i) for i in range(len(choices))]
    return {"question": context[len(head):-len(tail)], "choices": {"text": choices, "label": labels},
            "answerKey": labels[document["gold"]]}


def bare_choices(document: dict) -> list[str]:
    """The harness puts the space before a choice itself."""
    assert all(choice.startswith(" ") for choice in document["choices"])
    return [choice[1:] for choice in document["choices"]]


def task_report(model, name: str, result: dict) -> dict:
    scores = {key.split(",")[0]: value for key, value in result["results"][name].items()
              if key.endswith(",none") and "stderr" not in key}
    samples = sorted(result["samples"][name], key=lambda sample: sample["doc_id"])
    return {"scores": scores, "items": [item_report(model, sample) for sample in samples]}


def item_report(model, sample: dict) -> dict:
    """One item: for each choice or continuation its tokens, log-likelihood and greedy flag."""
    answers = []
    for request, response in zip(sample["arguments"], sample["resps"], strict=True):
        context, continuation = request[0], request[1]
        (logprob, greedy) = response[0]
        if context == "":
            tokens = model.tok_encode(continuation, add_special_tokens=False)
        else:
            tokens = model._encode_pair(context, continuation)[1]
        answers.append({"logprob": float(logprob), "greedy": bool(greedy), "tokens": tokens})
    keys = ["acc", "acc_norm", "perplexity"]
    return {"id": str(sample["doc_id"]), "answers": answers,
            **{key: float(sample[key]) for key in keys if key in sample}}


if __name__ == "__main__":
    main()
