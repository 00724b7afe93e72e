"""The settings as text: each with its value, and what it is for."""

from collections.abc import Sequence

from ..settings import Setting
from .page import Page, Style

NAME = 12


def render(settings: Sequence[Setting], style: Style) -> str:
    page = Page(style)
    for setting in settings:
        label = f"{setting.name:<{NAME}}"
        page.wrapped(label, f"{setting.value:<6} {setting.text}", indent=NAME)
    return page.render()
