"""Text in the forms that it comes in: with a byte order mark or without, and with any ends of lines."""

from __future__ import annotations

import codecs
import io
import json
from typing import BinaryIO, Iterator

_foreign = (
    (b"\x1f\x8b", "compressed with gzip"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet"),
    (b"PAR1", "Parquet"),
)


#: How many bytes tell the encoding.
HEAD = 4


def decoded(data: bytes) -> bytes:
    """Give a JSON text or a token as UTF-8; a ValueError says why that cannot be."""
    encoding = encoding_of(data)
    if encoding in ("utf-8", "utf-8-sig"):
        return data[len(codecs.BOM_UTF8) :] if encoding == "utf-8-sig" else data
    return data.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")


def lines(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    """Read line by line, in UTF-8 and with their ends; what is no UTF-8 in a file of UTF-8 stays as it is.

    ``head`` are the first bytes, which were read already. A ValueError says why the lines cannot be read.
    """
    data, encoding = head, encoding_of(head)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "surrogatepass"
    # It keeps a carriage return until it knows what comes after.
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(errors), translate=False)
    begun: "list[str]" = []
    is_over = False
    while not is_over:
        is_over = not data
        text = decoder.decode(data, final=is_over)
        for line in io.StringIO(text, newline=""):
            begun.append(line)
            if line[-1] in "\r\n":
                yield "".join(begun).encode("utf-8", errors)
                begun.clear()
        if not is_over:
            data = file.read1(1 << 16)  # type: ignore[attr-defined]
    if begun:
        yield "".join(begun).encode("utf-8", errors)


def encoding_of(data: bytes) -> str:
    """Find the encoding by the first four bytes: a text begins with an ASCII character."""
    what = next((what for begin, what in _foreign if data.startswith(begin)), None)
    if what is not None:
        raise ValueError(f"this is {what}, not text")
    return json.detect_encoding(data)
