"""Fine-tune the tiny local language model with a LoRA adapter, on the processor, with PyTorch.

Runs in two processes. `train_lora` is called in the job's child process and needs no PyTorch; it starts
`python -m workbench_core.adapters.local.lora_training <job folder>` with the interpreter of `make finetune`, which does
the training and writes `adapter.gguf`. The child then registers the adapter with MLflow, which that interpreter lacks.

The recipe and its numbers come from our own runs on 200 real e-mails (sender and subject as JSON, 60 held out): exact
match 0.02 for the base model with a JSON schema, 0.05 with three examples in the prompt, 0.50 after one epoch of LoRA
with rank 16 and learning rate 0.0002, in 3 to 4 minutes on two quiet cores (about 140 tokens a second with one thread).
LoRA: Hu et al. 2021, https://arxiv.org/abs/2106.09685. Rank-16 adapters on the value, output and feed-forward
projections; query and key are left out because llama.cpp stores their rows in another order.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from workbench_core.adapters.local.training import Job, died, event_of, read_job, read_lines, start_child
from workbench_core.errors import Invalid, Unavailable
from workbench_core.ports import Json, Message, TrainingEvent, TrainingExample, TrainingRequest

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from workbench_core.adapters.local.tracking import TrainedModel
    from workbench_core.adapters.local.training_process import Reporter

REQUIREMENTS = ("mlflow", "pandas", "jinja2", "xllamacpp")
LAYERS = {  # PyTorch's name, llama.cpp's name
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
ALPHA_PER_RANK = 2  # the usual scale: alpha is twice the rank
LONGEST_WARM_UP = 10  # steps, and at most a tenth of all
IGNORED = -100  # the label that cross_entropy skips


# --- in the job's child process ------------------------------------------------------------------------------------


def train_lora(job: Job, report: Reporter) -> TrainedModel:
    """Train an adapter. Raises Invalid when no example fits, Unavailable when the base weights are not usable."""
    from workbench_core.adapters.local import served_models
    from workbench_core.adapters.local.tracking import TrainedModel

    summary = _summary(job) or _run_trainer(job, report)
    template = job.folder / "template.json"
    template.write_text(json.dumps(dict(job.request.template), ensure_ascii=False), encoding="utf-8")
    return TrainedModel(
        code=Path(served_models.__path__[0]) / "generator.py",
        artifacts={"adapter": job.folder / "adapter.gguf", "template": template},
        requirements=tuple(f"{name}=={version(name)}" for name in REQUIREMENTS),
        parameters={**job.request.parameters, "trainer": job.trainer, "base_model": "SmolLM2-135M-Instruct Q4_1"},
        metrics=summary["metrics"],
        details=summary["details"],
        history=tuple(report.measured),
    )


def _summary(job: Job) -> dict[str, dict[str, float]] | None:
    """What a finished training left, so that an attempt that died while registering does not train again."""
    done = job.folder / "adapter.json"
    if not done.exists() or not (job.folder / "adapter.gguf").exists():
        return None
    known = json.loads(done.read_text(encoding="utf-8"))
    return dict(known) if known.pop("recipe") == _recipe(job.request) else None


def _recipe(request: TrainingRequest) -> dict[str, Json]:
    pairs: list[Json] = [example.pair_id for example in request.train]
    return {"parameters": dict(request.parameters), "seed": request.seed, "pairs": pairs}


def _run_trainer(job: Job, report: Reporter) -> dict[str, dict[str, float]]:
    _prepare(job, report)
    assert job.finetune_python is not None
    started = time.monotonic()
    module = "workbench_core.adapters.local.lora_training"
    child = start_child(job.finetune_python, module, job.folder, new_session=False)
    for line in read_lines(child):
        if line is None:
            continue
        if event := event_of(line):
            report(event)
        if isinstance(reason := line.get("invalid"), str):
            raise Invalid(reason, hint="Raise max_length or shorten the texts.")
    if child.wait() or not (summary := _summary(job)):
        raise died(child, job.folder / "training.log")
    report(TrainingEvent(message=f"Trained the adapter in {time.monotonic() - started:.0f} s."))
    return summary


def _prepare(job: Job, report: Reporter) -> None:
    """Check the base weights, and say when the pairs were asked in other words than the served model will use."""
    from workbench_core.adapters.local.served_models import generator

    try:
        base = generator.base_model()
    except (ImportError, ValueError) as error:
        raise Unavailable(f"The tiny local model cannot be used. {error}", hint="Run `make install`.") from error
    (job.folder / "base.json").write_text(json.dumps({"path": str(base)}), encoding="utf-8")
    (job.folder / "adapter.json").unlink(missing_ok=True)
    different = sum(not _asks_alike(job.request, example) for example in job.request.train)
    if different:
        total = len(job.request.train)
        report(TrainingEvent(message=f"{different} of {total} pairs hold other messages than the template renders."))


def _asks_alike(request: TrainingRequest, example: TrainingExample) -> bool:
    from workbench_core.adapters.local.served_models import generator

    rendered = generator.messages_of(request.template, example.variables)
    return [Message(message["role"], message["content"]) for message in rendered] == list(example.messages)


# --- in the interpreter with PyTorch -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as tokens: `labels` repeats `ids` for the answer and is IGNORED before it."""

    ids: list[int]
    labels: list[int]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one training."""

    epochs: int
    learning_rate: float
    batch_size: int
    lora_rank: int
    max_length: int
    time_budget_minutes: float
    seed: int


def encode(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict[str, str]], max_length: int) -> Encoded | None:
    """Tokens of a conversation whose last message is the answer; None when the answer alone does not fit.

    A question that is too long loses the end of its last message, never the marks that open the answer.
    """
    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    asked = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    last_said = messages[-2]["content"].strip()
    marks = asked[asked.rindex(last_said) + len(last_said) :]
    question, opening, answer = (
        tokenizer(text, add_special_tokens=False).input_ids
        for text in (asked[: len(asked) - len(marks)], marks, whole[len(asked) :])
    )
    room = max_length - len(opening) - len(answer)
    if room < 1:
        return None
    ids = question[:room] + opening + answer
    return Encoded(ids, [IGNORED] * (len(ids) - len(answer)) + answer, len(question) > room)


def conversation(request: TrainingRequest, example: TrainingExample) -> list[dict[str, str]]:
    """The messages of an example with its answer; a structured answer gets its fields in the schema's order."""
    asked = [{"role": message.role, "content": message.content} for message in example.messages]
    return [*asked, {"role": "assistant", "content": in_schema_order(example.answer, request.template)}]


def in_schema_order(answer: str, template: Mapping[str, Json]) -> str:
    """The JSON answer as the served model writes it: fields in the schema's order, others dropped."""
    fields = template.get("output_schema")
    try:
        values = json.loads(answer) if fields else None
    except ValueError:
        return answer
    if not isinstance(values, dict) or not isinstance(fields, list):
        return answer
    names = [str(field["name"]) for field in fields if isinstance(field, dict)]
    return json.dumps({name: values[name] for name in names if name in values}, ensure_ascii=False)


class LoraRun:
    """One training run: the model with its adapter, the examples, and the loop."""

    def __init__(self, job: Job) -> None:
        import torch

        self.folder = job.folder
        self.recipe = Recipe(seed=job.request.seed, **job.request.parameters)  # type: ignore[arg-type]
        torch.manual_seed(self.recipe.seed)
        self.tokenizer, self.model = load_model(job.folder, self.recipe.lora_rank)
        self.train = self._encoded(job.request, job.request.train)
        self.validation = self._encoded(job.request, job.request.validation)
        self.weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.tokens, self.seconds = 0, 0.0

    def _encoded(self, request: TrainingRequest, examples: Sequence[TrainingExample]) -> list[Encoded]:
        length = self.recipe.max_length
        found = [encode(self.tokenizer, conversation(request, example), length) for example in examples]
        return [example for example in found if example is not None]

    def batches(self, examples: Sequence[Encoded]) -> list[list[Encoded]]:
        """Batches of examples of like length, so that little is padded."""
        ordered = sorted(examples, key=lambda example: len(example.ids))
        size = self.recipe.batch_size
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def loss(self, batch: Sequence[Encoded]) -> torch.Tensor:
        """Mean cross-entropy of the answers' tokens.

        The vocabulary is large: its layer is computed where a token of the answer is predicted, not everywhere.
        """
        import torch

        width = max(len(example.ids) for example in batch)
        ids = torch.full((len(batch), width), self.tokenizer.eos_token_id)
        labels = torch.full((len(batch), width), IGNORED)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for row, example in enumerate(batch):
            ids[row, : len(example.ids)] = torch.tensor(example.ids)
            labels[row, : len(example.ids)] = torch.tensor(example.labels)
            mask[row, : len(example.ids)] = 1
        llama = self.model.base_model.model
        states = llama.model(input_ids=ids, attention_mask=mask).last_hidden_state
        asked = labels[:, 1:] != IGNORED
        return torch.nn.functional.cross_entropy(llama.lm_head(states[:, :-1][asked]), labels[:, 1:][asked])

    def validation_loss(self) -> float:
        """Mean loss per answer token over the validation examples."""
        import torch

        total, tokens = 0.0, 0
        with torch.no_grad():
            for batch in self.batches(self.validation):
                count = sum(label != IGNORED for example in batch for label in example.labels)
                total += float(self.loss(batch)) * count
                tokens += count
        return total / tokens

    def events(self) -> Iterator[TrainingEvent]:
        """Train; one event a step, and the validation loss at the end of each epoch."""
        batches = self.batches(self.train)
        total = len(batches) * self.recipe.epochs
        optimizer, step = self._optimizer(), 0
        yield TrainingEvent(message=self._opening(), total=total)
        for epoch in range(self.recipe.epochs):
            random.Random(self.recipe.seed + epoch).shuffle(batches)  # noqa: S311 - an order, not a secret
            for batch in batches:
                loss = self._step(optimizer, batch, step, total)
                step += 1
                speed = self.tokens / self.seconds
                yield TrainingEvent(step=step, total=total, metrics={"train_loss": loss, "tokens_per_second": speed})
                if self.seconds > self.recipe.time_budget_minutes * 60:
                    yield TrainingEvent(message=f"The time budget is used up after {step} of {total} steps.")
                    return
            if self.validation:
                metrics = {"val_loss": self.validation_loss()}
                yield TrainingEvent(f"Epoch {epoch + 1} is done.", step=step, total=total, metrics=metrics)

    def _opening(self) -> str:
        cut = sum(example.is_cut for example in self.train)
        trainable = sum(weight.numel() for weight in self.weights)
        return f"Training {trainable:,} weights on {len(self.train)} examples; {cut} texts were too long and are cut."

    def _optimizer(self) -> torch.optim.Optimizer:
        import torch

        return torch.optim.AdamW(self.weights, lr=self.recipe.learning_rate, weight_decay=0.0)

    def _step(self, optimizer: torch.optim.Optimizer, batch: Sequence[Encoded], step: int, total: int) -> float:
        import torch

        started = time.monotonic()
        warm_up = max(1, min(LONGEST_WARM_UP, total // 10))
        rate = self.recipe.learning_rate * min(1, (step + 1) / warm_up) * max(0.05, 1 - step / total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = self.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        self.seconds += time.monotonic() - started
        self.tokens += sum(len(example.ids) for example in batch)
        return float(loss.detach())


def load_model(folder: Path, rank: int) -> tuple[PreTrainedTokenizerBase, torch.nn.Module]:
    """The base model as plain float32 weights with a fresh adapter, and its tokenizer."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    base = Path(json.loads((folder / "base.json").read_text(encoding="utf-8"))["path"])
    tokenizer = AutoTokenizer.from_pretrained(base.parent, gguf_file=base.name)
    quantized = AutoModelForCausalLM.from_pretrained(base.parent, gguf_file=base.name, dtype=torch.float32)
    model = LlamaForCausalLM(quantized.config)  # a model read from GGUF calls itself quantized and cannot be trained
    model.load_state_dict(quantized.state_dict())
    model.config.quantization_config = None
    config = LoraConfig(
        r=rank,
        lora_alpha=ALPHA_PER_RANK * rank,
        lora_dropout=0.0,
        target_modules=[name.rpartition(".")[2] for name in LAYERS],
        task_type="CAUSAL_LM",
    )
    return tokenizer, get_peft_model(model, config)


def write_adapter(model: torch.nn.Module, path: Path, rank: int) -> None:
    """Write the adapter in the GGUF form that llama.cpp loads."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(ALPHA_PER_RANK * rank))
    for name, weight in model.state_dict().items():
        if "lora_" in name:
            layer, rest = name.split("layers.")[1].split(".", 1)
            side = "lora_a" if "lora_A" in rest else "lora_b"
            part = LAYERS[rest.split(".lora_")[0]]
            writer.add_tensor(f"blk.{layer}.{part}.weight.{side}", weight.detach().float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def fine_tune(job: Job, report: Reporter) -> None:
    """Train, write `adapter.gguf`, and only then `adapter.json`, which says that it is whole."""
    report(TrainingEvent(message="Loading the tiny local model."))
    run = LoraRun(job)
    if not run.train:
        report.line(invalid=f"No answer fits into max_length = {run.recipe.max_length} tokens.")
        return
    events = []
    for event in run.events():
        report(event)
        events.append(event)
    write_adapter(run.model, job.folder / "adapter.gguf", run.recipe.lora_rank)
    summary = {"recipe": _recipe(job.request), **_outcome(run, events, len(job.request.train))}
    (job.folder / "adapter.json").write_text(json.dumps(summary), encoding="utf-8")


def _outcome(run: LoraRun, events: Sequence[TrainingEvent], examples: int) -> dict[str, Json]:
    train = [event.metrics["train_loss"] for event in events if "train_loss" in event.metrics]
    validation = [event.metrics["val_loss"] for event in events if "val_loss" in event.metrics]
    last = train[-10:]
    metrics: dict[str, Json] = {"train_loss": sum(last) / len(last), "train_seconds": run.seconds}
    if validation:
        metrics |= {"val_loss": validation[-1], "best_val_loss": min(validation)}
    details: dict[str, Json] = {
        "steps": len(train),
        "planned_steps": events[0].total,
        "tokens": run.tokens,
        "examples_cut": sum(example.is_cut for example in run.train),
        "examples_left_out": examples - len(run.train),
    }
    return {"metrics": metrics, "details": details}


def main() -> int:
    """Train the job of the given folder; give the exit code."""
    from workbench_core.adapters.local.processes import exit_with_parent
    from workbench_core.adapters.local.training_process import Reporter, claim_output, read_arguments

    report = Reporter(claim_output())
    arguments = read_arguments()
    exit_with_parent(arguments.parent)
    fine_tune(read_job(arguments.folder), report)
    return 0


if __name__ == "__main__":
    from workbench_core.adapters.local.training_process import end

    end(main())
