"""Training speed on the tweets: what dynamic padding brings, and what the Trainer costs over a plain loop.

python -m tests.bench.training docs/benchmarks.md
"""

import contextlib
import io
import statistics
import sys
import tempfile
from pathlib import Path

import torch
from torch.nn.utils import clip_grad_norm_

from studio.config import ModelChoice, TextData, Training
from studio.data import sources, splits, text
from studio.models import build
from studio.runs import Run
from studio.training.arguments import bf16_pays
from studio.training.sampling import LengthGrouped
from studio.training.trainer import StudioTrainer
from tests.bench.harness import rates, show

ROWS, BATCH, REPEATS = 640, 32, 5
TRAINING = Training(
    num_train_epochs=1,
    learning_rate=2e-4,
    per_device_train_batch_size=BATCH,
    eval_strategy="steps",
    eval_steps=10**6,
    logging_steps=10,
)


def main(target: Path) -> None:
    data = TextData(dataset_name="sample:tweets", max_train_samples=ROWS, max_eval_samples=64, max_predict_samples=64)
    divided = splits.divide(sources.read(data), data, seed=0)
    network, tokenizer = build.text_classifier(ModelChoice(), divided.labels, seed=0)
    tokens = text.tokenise(divided, tokenizer, 128)
    fixed = {name: rows.map(lambda row: padded(row, tokenizer), batched=True) for name, rows in tokens.items()}
    found = rates(
        {
            "recipe": lambda: by_trainer(network, tokens, tokenizer, divided.labels),
            "plain loop": lambda: by_loop(network, tokens["train"], tokenizer),
            "padded to 128": lambda: by_trainer(network, fixed, tokenizer, divided.labels),
        },
        REPEATS,
    )
    title = f"MiniLM, {ROWS} tweets, batches of {BATCH}, {torch.get_num_threads()} threads"
    ratios = {reference: show(title, found, reference)["recipe"] for reference in ("plain loop", "padded to 128")}
    target.write_text(page(title, found, ratios))


def page(title: str, found: dict[str, list[float]], ratios: dict[str, float]) -> str:
    """The figures in Markdown."""
    rates = "\n".join(
        f"| {name} | {statistics.median(values):.1f} | {min(values):.1f} to {max(values):.1f} |"
        for name, values in found.items()
    )
    goals = {"plain loop": 0.95, "padded to 128": 3}
    compared = "\n".join(f"| recipe / {name} | {ratios[name]:.2f} | {goal} |" for name, goal in goals.items())
    return f"""# Training speed

Rows per second in {REPEATS} interleaved repeats, written by `make bench`; the machine counts for little, the ratios
within one run for much. {title}.

| way | rows/s, median | spread |
|---|---:|---:|
{rates}

| ratio, median of the repeats | measured | at least |
|---|---:|---:|
{compared}

The plain loop is written by hand with the same batches, optimizer, schedule, clipping and 16-bit floats; padded to 128
is the recipe's trainer with every text filled up to 128 tokens, as example scripts do by default.
"""


def padded(row: dict, tokenizer) -> dict:
    """Token ids and masks filled up to 128 places, as example scripts do by default."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    filled = tokenizer.pad({name: row[name] for name in names}, padding="max_length", max_length=128)
    return dict(filled) | {"length": [128] * len(row["labels"])}


def by_trainer(network, tokens, tokenizer, labels) -> int:
    """One epoch by the recipe's trainer."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        StudioTrainer(network, TRAINING, tokens, tokenizer, Run(folder), labels).train()
    return len(tokens["train"])


def by_loop(network, rows, tokenizer) -> int:
    """The same batches in a loop written by hand, with the same optimizer, schedule, clipping and precision."""
    order = list(LengthGrouped(rows["length"], BATCH, seed=TRAINING.seed))
    columns = rows.remove_columns(["row_id", "length"])
    collate = text.collator(tokenizer)
    steps = -(-len(order) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=TRAINING.learning_rate, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    network.train()
    for first in range(0, len(order), BATCH):
        inputs = collate(list(columns.select(order[first : first + BATCH])))
        labels = inputs.pop("labels")
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16_pays(network, on_cpu=True)):
            logits = network(**inputs).logits
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()
        clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return len(order)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
