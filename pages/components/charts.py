"""Charts: the only place that knows Plotly. Quiet, in the colours of the theme, units in every hover.

A chart takes a data frame and the names of its columns, and an `alt` sentence for people who cannot see it. Text from
data is escaped, because Plotly reads markup in labels.
"""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.identity import theme

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

PALETTE: Mapping[str, tuple[str, ...]] = {
    "light": ("#2F6FDE", "#0E9384", "#B54708", "#7A5AF8", "#C11574", "#4E5BA6", "#3B7C0F", "#B42318"),
    "dark": ("#7FB0FF", "#5FE0C8", "#FFB78A", "#C3B5FD", "#F7A8D0", "#A5B4FC", "#A6D96A", "#FF9B91"),
}
TONES: Mapping[str, Mapping[str, str]] = {
    "light": {"good": "#0E7A55", "info": "#2F6FDE", "warning": "#B54708", "bad": "#B42318", "neutral": "#98A2B3"},
    "dark": {"good": "#5FD3A0", "info": "#7FB0FF", "warning": "#FFB78A", "bad": "#FF9B91", "neutral": "#66758C"},
}
_GRID = {"light": "#E4E9F0", "dark": "#243044"}
_TEXT = {"light": "#475467", "dark": "#A9B6C9"}
_RAMP = {"light": ("#F4F7FC", "#2F6FDE"), "dark": ("#141C2A", "#5B93F0")}
_LABEL = 42  # characters of a category before it is cut
FEW_POINTS = 3  # up to this many known values are also drawn as points: one alone has no line


@dataclass(frozen=True, slots=True)
class Look:
    """How a chart shows its values.

    `unit` follows every number (“ms”, “requests”); with `is_share` values between 0 and 1 are shown as percent.
    `goal` draws a dotted line with `goal_name`. `height` is in pixels; 0 takes what the rows need. `low` and `high`
    fix the range of the value axis.
    """

    unit: str = ""
    digits: int = 0
    is_share: bool = False
    height: int = 240
    goal: float | None = None
    goal_name: str = ""
    low: float | None = 0.0
    high: float | None = None

    @property
    def number(self) -> str:
        """The number format of Plotly."""
        return f",.{self.digits}%" if self.is_share else f",.{self.digits}f"

    @property
    def suffix(self) -> str:
        """What follows a number."""
        return f" {self.unit}" if self.unit else ""


PLAIN = Look()
SHARES_IN_ROWS = Look(is_share=True, digits=1, high=1.0, height=0)


def palette() -> tuple[str, ...]:
    """The colours of series in the present theme."""
    return PALETTE[theme()]


def tone(name: str) -> str:
    """The colour of a meaning (good, info, warning, bad, neutral) in the present theme."""
    return TONES[theme()][name]


def line_chart(
    frame: pd.DataFrame, x: str, y: str, *, key: str, alt: str, series: str = "", look: Look = PLAIN
) -> None:
    """Draw `y` over `x` (times or numbers, sorted), one line for each value of the column `series`.

    A missing value breaks the line: an empty period is not a zero.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for name, part in _parts(frame, series):
        figure.add_scatter(
            x=part[x],
            y=part[y],
            name=_text(name),
            mode="lines" if part[y].notna().sum() > FEW_POINTS else "lines+markers",
            line={"width": 2},
            connectgaps=False,
            hovertemplate=f"%{{y:{look.number}}}{look.suffix}",
        )
    figure.update_layout(hovermode="x unified")
    _show(figure, key=key, alt=alt, look=look, has_legend=bool(series), is_empty=frame.empty)


def bar_chart(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    key: str,
    alt: str,
    tones: str = "",
    is_horizontal: bool = False,
    look: Look = PLAIN,
) -> None:
    """Draw one bar of height `y` for each `x`; a column `tones` (good, warning, bad, ...) gives each its colour.

    Horizontal bars suit long names; they stand in the order of the frame, the first on top.
    """
    import plotly.graph_objects as go

    names, values = [_text(value) for value in frame[x]], list(frame[y])
    colors = [tone(str(name)) for name in frame[tones]] if tones else tone("info")
    figure = go.Figure(
        go.Bar(
            x=values if is_horizontal else _axis_values(frame[x]),
            y=names if is_horizontal else values,
            orientation="h" if is_horizontal else "v",
            marker_color=colors,
            texttemplate=f"%{{{'x' if is_horizontal else 'y'}:{look.number}}}{look.suffix}" if len(frame) <= 16 else "",
            textposition="outside",
            cliponaxis=False,
            hovertemplate=_hover(look, is_horizontal=is_horizontal),
        )
    )
    if is_horizontal:
        figure.update_yaxes(autorange="reversed", showgrid=False)
        look = _with_room(look, values)
    figure.update_layout(bargap=0.35)
    _show(figure, key=key, alt=alt, look=_fitted(look, len(frame)), is_horizontal=is_horizontal, is_empty=frame.empty)


def stacked_bar(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    series: str,
    key: str,
    alt: str,
    tones: Mapping[str, str] | None = None,
    is_horizontal: bool = False,
    look: Look = PLAIN,
) -> None:
    """Draw bars made of one part for each value of `series`; `tones` maps series to the colour of a meaning."""
    import plotly.graph_objects as go

    figure, given = go.Figure(), tones or {}
    for number, (name, part) in enumerate(_parts(frame, series)):
        names = [_text(value) for value in part[x]]
        figure.add_bar(
            x=part[y] if is_horizontal else _axis_values(part[x]),
            y=names if is_horizontal else part[y],
            orientation="h" if is_horizontal else "v",
            name=_text(name),
            marker_color=tone(given[name]) if name in given else palette()[number % len(palette())],
            hovertemplate=_hover(look, is_horizontal=is_horizontal, name="%{fullData.name}: "),
        )
    figure.update_layout(barmode="stack", bargap=0.35)
    if is_horizontal:
        figure.update_yaxes(autorange="reversed", showgrid=False)
    rows = frame[x].nunique() if len(frame) else 0
    _show(
        figure, key=key, alt=alt, look=_fitted(look, rows), has_legend=True,
        is_horizontal=is_horizontal, is_empty=frame.empty,
    )  # fmt: skip


def interval_chart(
    frame: pd.DataFrame,
    label: str,
    value: str,
    *,
    low: str,
    high: str,
    key: str,
    alt: str,
    tones: str = "",
    look: Look = SHARES_IN_ROWS,
) -> None:
    """Draw one point with its interval from `low` to `high` on each row, the first on top."""
    import plotly.graph_objects as go

    colors = [tone(str(name)) for name in frame[tones]] if tones else tone("info")
    figure = go.Figure(
        go.Scatter(
            x=frame[value],
            y=[_text(name) for name in frame[label]],
            mode="markers",
            marker={"size": 9, "color": colors},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": frame[high] - frame[value],
                "arrayminus": frame[value] - frame[low],
                "color": tone("neutral"),
                "thickness": 1.5,
                "width": 4,
            },
            customdata=frame[[low, high]],
            hovertemplate=(
                f"%{{y}}<br>%{{x:{look.number}}}{look.suffix} "
                f"(%{{customdata[0]:{look.number}}} to %{{customdata[1]:{look.number}}})<extra></extra>"
            ),
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    _show(figure, key=key, alt=alt, look=_fitted(look, len(frame)), is_horizontal=True, is_empty=frame.empty)


def histogram(
    bins: Sequence[tuple[float, float, int]], *, key: str, alt: str, look: Look = PLAIN, is_time: bool = False
) -> None:
    """Draw how many rows lie in each bin (left edge, right edge, rows); the bins touch each other.

    With `is_time` the edges are seconds since 1970.
    """
    import plotly.graph_objects as go

    scale, form = (1000, "|%d %b %Y, %H:%M") if is_time else (1, ":,.6~g")
    figure = go.Figure(
        go.Bar(
            x=[scale * (left + right) / 2 for left, right, _ in bins],
            y=[rows for _, _, rows in bins],
            width=[scale * (right - left) * 0.96 for left, right, _ in bins],
            marker_color=tone("info"),
            customdata=[(scale * left, scale * right) for left, right, _ in bins],
            hovertemplate=f"%{{customdata[0]{form}}} to %{{customdata[1]{form}}}<br>%{{y:,}} rows<extra></extra>",
        )
    )
    if is_time:
        figure.update_xaxes(type="date")
    _show(figure, key=key, alt=alt, look=look, is_empty=not bins)


def gauge(share: float, word: str, *, tones: str, key: str, alt: str) -> None:
    """Draw a share between 0 and 1 as a half circle in the colour of a meaning, the number and a word in it."""
    import plotly.graph_objects as go

    figure = go.Figure(
        go.Indicator(
            mode="gauge+number",
            value=100 * share,
            number={"suffix": " %", "valueformat": ".1f", "font": {"size": 36, "color": tone(tones)}},
            gauge={
                "axis": {"range": [0, 100], "tickvals": [50, 70, 90], "tickfont": {"size": 11}},
                "bar": {"color": tone(tones), "thickness": 1},
                "bgcolor": _GRID[theme()],
                "borderwidth": 0,
            },
            domain={"x": [0.06, 0.94], "y": [0.08, 0.96]},
        )
    )
    figure.add_annotation(
        text=f"<b>{_text(word)}</b>", x=0.5, y=-0.02, showarrow=False, font={"size": 15, "color": tone(tones)}
    )
    _show(figure, key=key, alt=alt, look=Look(height=230, low=None), is_horizontal=None)


def heatmap(
    matrix: pd.DataFrame, *, key: str, alt: str, rows: str = "Expected", columns: str = "Answered", unit: str = "items"
) -> None:
    """Draw a table of counts such as a confusion matrix: index = `rows`, columns = `columns`.

    Colour is the share within each row, so that a rare class can be read as well as a frequent one.
    """
    import plotly.graph_objects as go

    totals = matrix.sum(axis=1).replace(0, 1)
    shares = matrix.div(totals, axis=0)
    figure = go.Figure(
        go.Heatmap(
            z=shares.to_numpy(),
            x=[_text(name) for name in matrix.columns],
            y=[_text(name) for name in matrix.index],
            text=matrix.to_numpy(),
            customdata=matrix.to_numpy(),
            texttemplate="%{text:,}",
            colorscale=[[0.0, _RAMP[theme()][0]], [1.0, _RAMP[theme()][1]]],
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate=(
                f"{rows} %{{y}}<br>{columns} %{{x}}<br>%{{customdata:,}} {html.escape(unit)}, "
                "%{z:.0%} of the row<extra></extra>"
            ),
        )
    )
    figure.update_xaxes(title=columns, side="top", showgrid=False, type="category")
    figure.update_yaxes(title=rows, autorange="reversed", showgrid=False, type="category")
    look = Look(height=max(200, 110 + 34 * len(matrix)), low=None)
    _show(figure, key=key, alt=alt, look=look, is_horizontal=None, is_empty=matrix.empty)


def _show(
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    look: Look,
    has_legend: bool = False,
    is_horizontal: bool | None = False,
    is_empty: bool = False,
) -> None:
    """Give the figure the common style and put it on the page. `is_horizontal=None` has no value axis."""
    if is_empty:
        st.caption("Nothing to draw yet.")
        return
    mode = theme()
    figure.update_layout(
        height=look.height,
        margin={"l": 8, "r": 24, "t": 34 if has_legend else 22 if is_horizontal and look.goal_name else 10, "b": 8},
        showlegend=has_legend,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "title": None, "traceorder": "normal"},
        colorway=palette(),
        font={"size": 12, "color": _TEXT[mode]},
        barcornerradius=3,
        dragmode=False,
    )
    figure.update_xaxes(automargin=True, fixedrange=True, zeroline=False, gridcolor=_GRID[mode])
    figure.update_yaxes(automargin=True, fixedrange=True, zeroline=False, gridcolor=_GRID[mode])
    if is_horizontal is not None:
        _value_axis(figure, look, is_horizontal=is_horizontal)
    st.plotly_chart(figure, key=key, alt=alt, config={"displayModeBar": False, "scrollZoom": False})


def _value_axis(figure: go.Figure, look: Look, *, is_horizontal: bool) -> None:
    update = figure.update_xaxes if is_horizontal else figure.update_yaxes
    update(
        tickformat=",.0%" if look.is_share else None,
        ticksuffix=look.suffix if len(look.unit) < 4 else "",
        nticks=4 if is_horizontal else 6,  # on a phone, numbers side by side run into each other
    )
    if look.high is not None:
        low = look.low or 0
        update(range=[low, look.high + 0.06 * (look.high - low)])
    elif look.low == 0:
        update(rangemode="tozero")
    (figure.update_yaxes if is_horizontal else figure.update_xaxes)(showgrid=False)
    if is_horizontal:
        figure.update_xaxes(tickangle=0)
    if look.goal is None:
        return
    line = {"line_dash": "dot", "line_width": 1, "line_color": _TEXT[theme()]}
    note = {
        "annotation_text": _text(look.goal_name),
        "annotation_font_size": 11,
        "annotation_font_color": _TEXT[theme()],
    }
    if is_horizontal:
        figure.add_vline(x=look.goal, annotation_position="top", **line, **note)
    else:
        figure.add_hline(y=look.goal, annotation_position="top left", **line, **note)


def _parts(frame: pd.DataFrame, series: str) -> list[tuple[str, pd.DataFrame]]:
    """The rows of each series in the order of their first appearance; one part without a series."""
    if not series:
        return [("", frame)]
    return [(str(name), part) for name, part in frame.groupby(series, sort=False, observed=True)]


def _axis_values(values: pd.Series) -> Sequence[object]:
    """Times and numbers stay what they are; texts are escaped."""
    return list(values) if values.dtype.kind in "Miufc" else [_text(value) for value in values]


def _hover(look: Look, *, is_horizontal: bool, name: str = "") -> str:
    label, value = ("y", "x") if is_horizontal else ("x", "y")
    return f"%{{{label}}}<br>{name}%{{{value}:{look.number}}}{look.suffix}<extra></extra>"


def _with_room(look: Look, values: Sequence[float]) -> Look:
    """A longer value axis, so that the number behind the longest bar is not cut off on a phone."""
    if look.high is not None or look.low != 0 or not values or min(values) < 0 or max(values) <= 0:
        return look
    return replace(look, high=1.1 * max(values))


def _fitted(look: Look, rows: int) -> Look:
    """A height for the number of rows when none is given."""
    if look.height:
        return look
    return replace(look, height=70 + 30 * max(rows, 1))


def _text(value: object) -> str:
    """Text from data, short and without markup."""
    return html.escape(textwrap.shorten(str(value), _LABEL, placeholder="…") or str(value)[:_LABEL], quote=False)
