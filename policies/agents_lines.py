"""On which line a key of a TOML document stands: for messages that name file and line.

`tomllib` parses without places, so this reads the same text once more and keeps only the line of each key and
array item (TOML 1.0.0, https://toml.io/en/v1.0.0). It expects text that `tomllib` has accepted; on any other
text it may answer wrongly, and never raises anything but IndexError and RecursionError, which `locate` maps
to what was found so far. Pure: imports nothing of the project.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_left

Path = tuple[str | int, ...]


class _Reader:
    """A cursor over the text. `places` maps the path of each key or item to its line, counted from 1."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.newlines = [place for place, character in enumerate(text) if character == "\n"]
        self.places: dict[Path, int] = {}
        self.arrays: dict[Path, int] = {}

    def line(self) -> int:
        return bisect_left(self.newlines, self.at) + 1

    def skip(self, characters: str) -> None:
        """Skip white space of the given kinds, and comments."""
        while self.at < len(self.text):
            if self.text[self.at] == "#" and "\n" in characters:
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.text[self.at] in characters:
                self.at += 1
            else:
                return

    def string(self) -> str:
        """Read a string of any of the four kinds and return it as written, quotes included."""
        start, quote = self.at, self.text[self.at]
        fence = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(fence)
        while not self.text.startswith(fence, self.at):
            # Reading the character also ends an open string, by IndexError.
            self.at += 2 if self.text[self.at] == "\\" and quote == '"' else 1
        self.at += len(fence)
        if len(fence) > 1:  # up to two more quotes belong to the content
            while self.text.startswith(quote, self.at):
                self.at += 1
        return self.text[start : self.at]

    def key(self, closing: str) -> list[str]:
        """Read a bare, quoted or dotted key up to `closing` and step over it."""
        parts: list[str] = []
        while True:
            self.skip(" \t")
            if self.text[self.at] in "\"'":
                parts.append(tomllib.loads(f"value = {self.string()}")["value"])
            else:
                start = self.at
                while self.text[self.at] not in " \t.=]":
                    self.at += 1
                parts.append(self.text[start : self.at])
            self.skip(" \t")
            if self.text[self.at] != ".":
                self.at += len(closing)
                return parts
            self.at += 1

    def note(self, base: Path, parts: list[str], line: int) -> Path:
        """Record every prefix of a key, stepping into the newest element of an array of tables."""
        path = base
        for part in parts:
            if path in self.arrays:
                path = (*path, self.arrays[path])
            path = (*path, part)
            self.places.setdefault(path, line)
        return path

    def value(self, path: Path) -> None:
        """Skip a value, recording what it holds under `path`."""
        character = self.text[self.at]
        if character in "\"'":
            self.string()
        elif character == "[":
            self.at += 1
            index = 0
            self.skip(" \t\n,")
            while self.text[self.at] != "]":
                self.places[*path, index] = self.line()
                self.value((*path, index))
                index += 1
                self.skip(" \t\n,")
            self.at += 1
        elif character == "{":
            self.at += 1
            self.skip(" \t\n,")
            while self.text[self.at] != "}":
                self.pair(path)
                self.skip(" \t\n,")
            self.at += 1
        else:
            start = self.at
            while self.at < len(self.text) and self.text[self.at] not in ",]}\n#":
                self.at += 1
            if self.at == start:
                raise IndexError("no value here: the text is not TOML")

    def pair(self, base: Path) -> None:
        """Read one `key = value`."""
        line = self.line()
        path = self.note(base, self.key("="), line)
        self.skip(" \t")
        self.value(path)

    def document(self) -> None:
        """Read the whole text."""
        table: Path = ()
        while True:
            self.skip(" \t\n")
            if self.at >= len(self.text):
                return
            if self.text.startswith("[[", self.at):
                line = self.line()
                self.at += 2
                parts = self.key("]]")
                array = self.note((), parts, line)
                self.arrays[array] = self.arrays.get(array, -1) + 1
                table = (*array, self.arrays[array])
                self.places[table] = line
            elif self.text[self.at] == "[":
                line = self.line()
                self.at += 1
                table = self.note((), self.key("]"), line)
            else:
                self.pair(table)


def locate(text: str) -> dict[Path, int]:
    """Return the line, counted from 1, of every key, table and array item of a valid TOML document."""
    reader = _Reader(text.replace("\r\n", "\n"))
    try:
        reader.document()
    except (IndexError, RecursionError, tomllib.TOMLDecodeError):
        return reader.places
    return reader.places


def nearest_line(places: dict[Path, int], path: Path) -> int | None:
    """Return the line of a path, or of the closest table around it, or None for the document itself."""
    for end in range(len(path), 0, -1):
        line = places.get(path[:end])
        if line is not None:
            return line
    return None
