"""What `transformers` makes of a model folder that CFS Studio saved.

Reads one JSON line from stdin: {"folder", "texts", "logits": file to write}. Prints one JSON line:
versions, the keys that the loader missed or did not expect, and the ids of each text; the logits of
all texts go to the file as little-endian float32, text after text, `[tokens, vocab]` each.
`scripts/transformers/check.ts` is the other side.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


def main() -> None:
    request = json.loads(sys.stdin.readline())
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    folder = request["folder"]
    # As tokenizer.json says: AutoTokenizer may replace the file's own normalizer.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model, found = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    model = model.float().eval()
    # Special tokens written in a text are text; see `Tokenizer.encode`.
    ids = [
        tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        for text in request["texts"]
    ]
    with torch.no_grad(), open(request["logits"], "wb") as file:
        for row in ids:
            logits = model(input_ids=torch.tensor([row])).logits[0]
            file.write(logits.numpy().astype("<f4").tobytes())
    print(json.dumps({
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "missing": sorted(str(key) for key in found["missing_keys"]),
        "unexpected": sorted(str(key) for key in found["unexpected_keys"]),
        "mismatched": sorted(str(key) for key in found["mismatched_keys"]),
        "ids": ids,
    }))


if __name__ == "__main__":
    main()
