"""Small archives of Omniglot's official structure, for the tests that must not need the real ones."""

import io
import struct
import zipfile
import zlib

from PIL import Image, ImageDraw

from fewshot_np.data import omniglot


def png(number, side=105):
    """A 1-bit drawing as in the archives, ink black: a stroke and a bar whose length tells the number."""
    image = Image.new("1", (side, side), 1)
    pen = ImageDraw.Draw(image)
    pen.line([(20, 15), (30, 80)], fill=0, width=3)
    pen.rectangle([10, 90, 20 + 3 * number, 95], fill=0)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def huge_png(width, height):
    """A picture whose header says that it has so many pixels; there are none of them."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum + bytes(4) + b"IDAT"


def packed(entries):
    """A zip archive of {name: bytes}, as bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return data.getvalue()


def drawings(kind, alphabets, n_drawings=2):
    """The entries of the archive `kind`, {name: bytes}, of {alphabet: number of characters}.

    Drawing number k, in sorted order, has a bar of length k.
    """
    names = [f"{alphabet}/character{character:02d}/0001_{drawing:02d}.png"
             for alphabet, n in alphabets.items() for character in range(1, n + 1)
             for drawing in range(1, n_drawings + 1)]
    folder = omniglot.FILES[kind].removesuffix(".zip")
    return {f"{folder}/{name}": png(number) for number, name in enumerate(names)}


def counts(alphabets, n_drawings=2):
    """What `omniglot.EXPECTED` says of such an archive."""
    characters = sum(alphabets.values())
    return {"alphabets": len(alphabets), "characters": characters, "drawings": n_drawings * characters}
