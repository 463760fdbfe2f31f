"""Pictures of all pages, three widths in two themes: ``make screens`` fills _build/screens."""

from book_ext import house
from tests.browser import measure

WIDTHS = (measure.PHONE, 768, measure.WIDE)


def main():
    folder = house.ROOT / "_build" / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    with measure.chromium() as context:
        tab = context.new_page()
        for page in house.pages():
            tab.goto(measure.address(page))
            for width in WIDTHS:
                tab.set_viewport_size({"width": width, "height": 900})
                tab.evaluate(measure.READY)
                for theme in measure.THEMES:
                    measure.set_theme(tab, theme)
                    tab.screenshot(path=folder / f"{page}-{width}-{theme}.png", full_page=True)


if __name__ == "__main__":
    main()
