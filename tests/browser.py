"""A real browser for the pages that the plugin writes: Debian's Chromium.

`Look` is what a page looks like at one width and in one scheme: boxes on the screen and
contrasts, measured by the browser itself.
"""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Literal, NamedTuple, Sequence, Tuple

from playwright.sync_api import Page, sync_playwright

from programs import need

CHROMIUM = "/usr/bin/chromium"
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (1280, 400)
Scheme = Literal["light", "dark"]
SCHEMES: Tuple[Scheme, ...] = ("light", "dark")

# Notes what the content security policy forbade, before anything else of the page.
WATCH = """
window.forbidden = [];
addEventListener("securitypolicyviolation",
                 event => window.forbidden.push(event.violatedDirective));
"""

MEASURE = r"""() => {
const box = element => {
    const r = element.getBoundingClientRect();
    return [r.left, r.top, r.right, r.bottom];
};
const numbers = colour => colour.match(/[\d.]+/g).map(Number);
const luminance = colour => {
    const [r, g, b] = numbers(colour).slice(0, 3).map(n => n / 255).map(
        n => n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const clear = colour => numbers(colour)[3] === 0;
const ground = element => {
    const slot = element.closest("g.slot");
    if (slot) return getComputedStyle(slot.querySelector("rect")).fill;
    for (let e = element; e; e = e.parentElement) {
        const colour = getComputedStyle(e).backgroundColor;
        if (!clear(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
};
const contrast = element => {
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const pair = [luminance(ink), luminance(ground(element))].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
};
const shown = element => element.checkVisibility() &&
    element.getBoundingClientRect().width > 0;
const own = element => [...element.childNodes].filter(
    node => node.nodeType === 3).map(node => node.textContent).join("").trim();
const svg = [...document.querySelectorAll("svg.picture")].filter(shown);
const texts = element => [...element.querySelectorAll("text")].map(
    text => ({text: text.textContent, box: box(text)}));
return {
    width: document.documentElement.scrollWidth,
    inner: innerWidth,
    pictures: svg.map(box),
    slots: svg.flatMap(one => [...one.querySelectorAll("g.slot")].map(slot => ({
        place: Number(slot.dataset.place),
        kind: slot.getAttribute("class"),
        box: box(slot.querySelector("rect")),
        texts: texts(slot)}))),
    texts: svg.flatMap(texts),
    arrows: svg.flatMap(one => [...one.querySelectorAll("g.pointer")].map(arrow => ({
        register: arrow.dataset.register,
        place: Number(arrow.dataset.place),
        kind: arrow.getAttribute("class").replace("pointer ", ""),
        box: box(arrow.querySelector("line")),
        label: box(arrow.querySelector("text"))}))),
    contrasts: [...document.querySelectorAll("body *")].filter(
        element => own(element) && shown(element) && element.tagName !== "title").map(
        element => [contrast(element), element.tagName + ": " + own(element)]),
};
}"""

Box = Tuple[float, float, float, float]


class Look(NamedTuple):
    """Boxes are left, top, right, bottom, in pixels."""

    width: int
    """Of the page, with what must be scrolled to."""
    inner: int
    """Of the window."""
    pictures: List[Box]
    slots: List[Dict[str, Any]]
    texts: List[Dict[str, Any]]
    arrows: List[Dict[str, Any]]
    contrasts: List[Tuple[float, str]]


class Browser:
    """One window; every file opened in it replaces the one before."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.requests: List[str] = []
        self.said: List[str] = []
        page.add_init_script(WATCH)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("dialog", lambda dialog: self.said.append(dialog.message))

    def open(self, text: str) -> Page:
        path = self.folder / "page.html"
        path.write_text(text, encoding="utf-8")
        self.requests.clear()
        self.said.clear()
        self.page.emulate_media(media="screen", color_scheme="light")
        self.page.goto(path.as_uri())
        return self.page

    def forbidden(self) -> List[str]:
        """What the content security policy has forbidden."""
        return list(self.page.evaluate("window.forbidden"))

    def looks(self, schemes: Sequence[Scheme] = SCHEMES) -> Iterator[Look]:
        """The page at both widths, light and dark, with everything unfolded."""
        self.page.evaluate(
            "document.querySelectorAll('details').forEach(one => one.open = true)"
        )
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in schemes:
                self.page.emulate_media(color_scheme=scheme)
                yield Look(**self.page.evaluate(MEASURE))


def browser(folder: Path) -> Iterator[Browser]:
    """Chromium with a profile of its own, ended whatever happens."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(folder / "profile"),
            executable_path=need(CHROMIUM),
            headless=True,
            args=OPTIONS,
        )
        try:
            yield Browser(context.pages[0], folder)
        finally:
            context.close()
