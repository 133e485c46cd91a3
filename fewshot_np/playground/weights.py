"""One file of named arrays that a page can read without a library: a header in JSON, then the bytes.

    8 bytes        "fewshot\\0"
    4 bytes        H, the length of the header, little-endian
    H bytes        the header: {"settings": {...}, "crc32": of all that follows, "arrays": [{name, dtype, shape}]}
    the arrays     one after the other, in the header's order, little-endian, rows first

The header is padded with spaces so that the arrays begin at a multiple of 8.
"""

import json
import zlib

import numpy as np

from fewshot_np.data.files import write_atomically

MAGIC = b"fewshot\0"
DTYPES = ("float16", "float32", "uint8")


def write_arrays(path, arrays, settings):
    """Write {name: array} of float16, float32 or uint8, and settings (what JSON can hold), completely or not at all.

    Raises: ValueError for another dtype; OSError if the folder cannot be written.
    """
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise ValueError(f"{name} must be of {', '.join(DTYPES)}, got {array.dtype}")
    content = b"".join(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
                       for array in arrays.values())
    described = [{"name": name, "dtype": array.dtype.name, "shape": array.shape} for name, array in arrays.items()]
    header = json.dumps({"settings": settings, "crc32": zlib.crc32(content), "arrays": described}).encode("ascii")
    header += b" " * (-(len(MAGIC) + 4 + len(header)) % 8)
    with write_atomically(path) as file:
        file.write(MAGIC + len(header).to_bytes(4, "little") + header + content)


def read_arrays(path):
    """({name: array}, settings) from a file that `write_arrays` wrote.

    Raises: ValueError for a file that is damaged or of another kind.
    """
    with open(path, "rb") as file:
        data = file.read()
    start = len(MAGIC) + 4
    start += int.from_bytes(data[len(MAGIC):start], "little")
    try:
        if data[:len(MAGIC)] != MAGIC:
            raise ValueError("it does not begin with the name of the format")
        header = json.loads(data[len(MAGIC) + 4:start])
        if zlib.crc32(data[start:]) != header["crc32"]:
            raise ValueError("its check sum is wrong")
        arrays = {}
        for each in header["arrays"]:
            dtype, count = np.dtype(each["dtype"]).newbyteorder("<"), int(np.prod(each["shape"]))
            arrays[each["name"]] = np.frombuffer(data, dtype, count, start).reshape(each["shape"])
            start += count * dtype.itemsize
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged or not a file of the playground: {error}") from None
    return arrays, header["settings"]
