"""The sample of one generation, in place of the sheet's own: drawn once by a seed, then frozen item by item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from workbench_core.errors import Conflict
from workbench_core.ports import Json, Lake, Selection

MOST_SAMPLED = 100_000  # items of one sample: each is kept with the training sheet
MOST_SAMPLE_SEED = 2**31 - 1  # as for sheets
_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Sampling:
    """So many items at random by a seed; with `stratify_column` in the proportions of its classes.

    It is drawn as a sheet draws its sample, from all rows that the filters of sheet and generation keep.
    """

    size: int
    seed: int = 42
    stratify_column: str = ""

    @property
    def title(self) -> str:
        """What it is in words: “100 at random, seed 7”."""
        how = f"stratified by {self.stratify_column}" if self.stratify_column else "at random"
        return f"{self.size:,} {how}, seed {self.seed}"


def with_sampling(selection: Selection, sampling: Sampling | None) -> Selection:
    """The selection with this sample in place of its own; unchanged without one."""
    if sampling is None:
        return selection
    return replace(
        selection,
        sample_size=sampling.size,
        sample_seed=sampling.seed,
        stratify_column=sampling.stratify_column,
    )


def without_sampling(selection: Selection) -> Selection:
    """The selection without any sample: its items were drawn before, and are named."""
    return replace(selection, sample_size=None, stratify_column="")


def drawn_items(lake: Lake, selection: Selection) -> tuple[str, ...]:
    """The items of a sampled selection in the order of their identifiers, also those that are set aside.

    Raises Invalid for a filter or column that is wrong, Conflict for more items than can be kept.
    """
    refs: dict[str, None] = {}  # in order; a join may repeat an item
    for frame in lake.batches(selection, columns=(selection.item_id_column,), size=_BATCH):
        refs |= dict.fromkeys(frame["item_ref"].astype(str).tolist())
        if len(refs) > MOST_SAMPLED:
            raise Conflict(f"A sample can have {MOST_SAMPLED:,} items at most.", hint="Choose a smaller one.")
    return tuple(refs)


def sampling_problems(sampling: Sampling | None) -> Iterator[str]:
    """What is wrong with the numbers of a sample."""
    if sampling is None:
        return
    if not 1 <= sampling.size <= MOST_SAMPLED:
        yield f"The sample size must be between 1 and {MOST_SAMPLED:,}: for more items, sample the sheet itself."
    if not 0 <= sampling.seed <= MOST_SAMPLE_SEED:
        yield f"The seed of the sample must be between 0 and {MOST_SAMPLE_SEED:,}."


def sampling_json(sampling: Sampling | None) -> Json:
    """A sample as JSON; `read_sampling` reads it back."""
    if sampling is None:
        return None
    return {"size": sampling.size, "seed": sampling.seed, "stratify_column": sampling.stratify_column}


def read_sampling(stored: Json) -> Sampling | None:
    """A sample from its JSON; None for a training sheet that has none of its own."""
    if not isinstance(stored, dict):
        return None
    return Sampling(int(str(stored["size"])), int(str(stored["seed"])), str(stored["stratify_column"]))
