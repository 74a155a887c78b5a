"""Speed of reviewing by keyboard: from a key press to the next item on the screen, with one and with four people.

The real app runs over a temporary home with a training sheet of 2,000 pending pairs for each person and is reviewed in
Chromium. A press counts from the moment in which the browser got the key until the frame with the next item is on the
screen. Then everybody presses a hundred keys at a pace of 30 ms, and the store is compared with what stood on the
screen at each press: `lost` are presses that decided nothing, `wrong` those that decided something else, and items
that were decided without a press. The last line is the result as JSON; all times of four people are taken together.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser.conftest import CHROMIUM, FLAGS, App, running, tab
from tests.review_data import ANN, mails, training_sheet
from workbench_core.settings import read_settings
from workbench_core.workbench import Workbench, open_workbench

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PEOPLE = 4
PACE_MS = 30
THINK_MS = 25  # between the presses of different people while the time is taken
STATUS_AFTER = {"a": "approved", "r": "rejected"}
# what stood on the screen at each press, and how long until the frame with the next item was there; it runs before the
# page, because the card stops the keys that it takes
WATCH = """
window.presses = []
const cardIn = root => root.querySelector('.card[data-item]') ??
  [...root.querySelectorAll('*')].reduce((found, each) => found ?? (each.shadowRoot && cardIn(each.shadowRoot)), null)
let card = null
window.addEventListener('keydown', event => {
  card = card?.isConnected ? card : cardIn(document)
  const press = { key: event.key, item: card.dataset.item, took: null }
  window.presses.push(press)
  const watcher = new MutationObserver(() => {
    if (card.dataset.item === press.item) return
    watcher.disconnect()
    requestAnimationFrame(() => {
      const channel = new MessageChannel() // its message comes after the frame was painted
      channel.port1.onmessage = () => { press.took = performance.now() - event.timeStamp }
      channel.port2.postMessage(0)
    })
  })
  watcher.observe(card, { attributes: true, attributeFilter: ['data-item'] })
}, true)
"""


@dataclass(frozen=True, slots=True)
class Press:
    """One key press: the item that stood on the screen, and the milliseconds until the next one did."""

    key: str
    item: str
    took: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The presses of some people at once, and how many of them were lost or did something else."""

    times_ms: tuple[float, ...]
    lost: int
    wrong: int

    @property
    def p50_ms(self) -> float:
        """The median."""
        return statistics.median(self.times_ms)

    @property
    def p95_ms(self) -> float:
        """What 95 of 100 presses stay under."""
        return statistics.quantiles(self.times_ms, n=20)[18]


def fill(workbench: Workbench, folder: Path, *, pairs: int) -> list[str]:
    """A training sheet in review for the person alone and for each of the four; their ids."""
    source = mails(workbench, folder, count=pairs)
    names = ["alone", *(f"person {number}" for number in range(PEOPLE))]
    return [training_sheet(workbench, source, name=name, label_type=name.replace(" ", "_")).id for name in names]


def review(browser: Browser, url: str, sheets: Sequence[str], *, presses: int) -> list[list[Press]]:
    """One browser profile for each training sheet: press keys in turns, then each a burst; what they pressed."""
    chance = random.Random(7)
    with ExitStack() as open_tabs:
        tabs = [open_tabs.enter_context(tab(browser, url)) for _ in sheets]
        for one, sheet_id in zip(tabs, sheets, strict=True):
            one.page.add_init_script(WATCH)
            one.open(f"label?sheet={sheet_id}")
            one.page.locator(".card[data-item]").wait_for()
        press_in_turns(tabs, presses, chance, pause=THINK_MS)
        press_in_turns(tabs, presses, chance, pause=PACE_MS / len(tabs))
        return [finished(one) for one in tabs]


def press_in_turns(tabs: Sequence[App], presses: int, chance: random.Random, *, pause: float) -> None:
    """Each person presses so many keys, `pause` milliseconds after the one before."""
    for _ in range(presses):
        for one in tabs:
            one.press(chance.choice(list(STATUS_AFTER)), pause=pause)


def finished(one: App) -> list[Press]:
    """All presses of a person, once the server has answered them."""
    one.page.wait_for_timeout(2_000)
    one.settle()
    return [Press(**press) for press in one.page.evaluate("window.presses")]


def judged(workbench: Workbench, sheets: Sequence[str], pressed: Sequence[Sequence[Press]], *, presses: int) -> Outcome:
    """Compare what was on the screen at each press with what the store has now."""
    lost = wrong = 0
    for sheet_id, own in zip(sheets, pressed, strict=True):
        found = {pair.id: pair.review_status.value for pair in workbench.pairs.find(sheet_id, limit=1_000_000)}
        wanted = {press.item: STATUS_AFTER[press.key] for press in own}
        lost += 2 * presses - sum(1 for item in wanted if found[item] != "pending")
        wrong += sum(1 for item, status in wanted.items() if found[item] not in {"pending", status})
        wrong += sum(1 for item, status in found.items() if status != "pending" and item not in wanted)
    return Outcome(tuple(press.took for own in pressed for press in own if press.took is not None), lost, wrong)


def show(alone: Outcome, four: Outcome) -> None:
    """Two lines to read, then the result as one line of JSON."""
    for name, outcome in (("one person", alone), ("four people", four)):
        print(
            f"{name:12}{len(outcome.times_ms):6} presses, p50 {outcome.p50_ms:5.1f} ms, p95 {outcome.p95_ms:5.1f} ms, "
            f"slowest {max(outcome.times_ms):5.1f} ms, {outcome.lost} lost, {outcome.wrong} wrong"
        )
    result = {
        "p50_ms": round(alone.p50_ms, 1),
        "p95_ms": round(alone.p95_ms, 1),
        "p50_ms_four": round(four.p50_ms, 1),
        "p95_ms_four": round(four.p95_ms, 1),
        "lost": alone.lost + four.lost,
        "wrong": alone.wrong + four.wrong,
    }
    print(json.dumps(result))


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill a home, start the app, review and compare."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2_000, help="pending pairs of each person (default 2,000)")
    parser.add_argument("--presses", type=int, default=100, help="twice so many for each person (default 100)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        workbench = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
        sheets = fill(workbench, home, pairs=chosen.pairs)
        outcomes = []
        with running(home) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
            for group in (sheets[:1], sheets[1:]):
                pressed = review(browser, url, group, presses=chosen.presses)
                outcomes.append(judged(workbench, group, pressed, presses=chosen.presses))
            browser.close()
        workbench.close()
        show(*outcomes)


if __name__ == "__main__":
    main()
