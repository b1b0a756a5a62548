"""A written page, as a reader and a browser would take it."""

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags, visible texts and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        if self.cdata_elem is None:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def read(path):
    """Read a file's page."""
    return Page(path.read_text(encoding="utf-8"))
