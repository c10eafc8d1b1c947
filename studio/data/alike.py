"""Which rows must not be torn apart: those of one content, of nearly the same content, of one group."""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from datasets import Dataset, concatenate_datasets
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from studio.data.decode import decode
from studio.data.reading.rows import hash_text

NEAR_WORDS = 4, 5  # texts with four fifths of their words in common are near alike
NEAR_BITS = 4  # pictures whose 64-bit hashes differ in at most so many bits are near alike

_BATCH = 1000  # rows
_COMMON = 300  # texts; a word in more of them tells little and costs much
_HASHED_AT = 32  # pixels; the hash looks at the 8 lowest frequencies each way
_AT_ONCE = 64  # pictures in memory
_BLOCK = 500  # hashes compared with all others at once
# Chinese and Japanese are written without spaces: each character counts as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")


def contents(rows: Dataset) -> np.ndarray:
    """uint64 per row, equal where the contents are the same to a reader."""
    if "image" in rows.column_names:
        chunks = column(rows, "row_id").chunks
        hashes = (int(row_id[:16], 16) for chunk in chunks for row_id in chunk.to_pylist())
    else:
        hashes = (hash_text(_plain(text)) for text in _texts(rows))
    return np.fromiter(hashes, np.uint64, len(rows))


def units(splits: dict[str, Dataset], contents: dict[str, np.ndarray], near: bool) -> dict[str, np.ndarray]:
    """uint64 per row, equal for rows that must stay together, in one split or in several.

    They share a content or a group (the column "group", where there is one) or, if asked, are near alike; and so do
    the rows at both ends of a chain of such rows. A unit is called by its least content, whatever the order of rows.
    """
    hashes = np.concatenate(list(contents.values()))
    rows = concatenate_datasets(list(splits.values()))
    links = []
    if "group" in rows.column_names:
        links.append(same_group(column(rows, "group")))
    if near:
        _, first = np.unique(hashes, return_index=True)
        links.append(first[near_pairs(rows.select(first))])
    ends = np.cumsum([len(part) for part in contents.values()])[:-1]
    return dict(zip(contents, np.split(tie(hashes, links), ends), strict=True))


def tie(contents: np.ndarray, links: list[np.ndarray]) -> np.ndarray:
    """The least of the contents that each row is linked to, by way of however many other rows.

    contents: (rows,) uint64; rows of one content are linked.
    links: each (2, links) positions of rows that are linked besides.
    """
    _, first, content = np.unique(contents, return_index=True, return_inverse=True)
    one, other = np.concatenate([np.stack([np.arange(len(contents)), first[content]]), *links], axis=1)
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(contents), len(contents)))
    count, component = connected_components(graph, directed=False)
    least = np.full(count, np.iinfo(np.uint64).max)
    np.minimum.at(least, component, contents)
    return least[component]


def same_group(groups: pa.ChunkedArray) -> np.ndarray:
    """(2, links) each row of a group and the first of the group; rows without group are linked to none."""
    codes = groups.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    grouped = np.flatnonzero(codes >= 0)
    _, first, group = np.unique(codes[grouped], return_index=True, return_inverse=True)
    return np.stack([grouped, grouped[first[group]]])


def near_pairs(rows: Dataset) -> np.ndarray:
    """(2, pairs) positions of rows whose texts or pictures are near alike."""
    if "image" in rows.column_names:
        return _near_pictures(_picture_hashes(rows))
    return _near_texts(_texts(rows))


def column(rows: Dataset, name: str) -> pa.ChunkedArray:
    return rows.select_columns([name]).with_format("arrow")[:][name]


def _near_texts(texts: Iterable[str]) -> np.ndarray:
    """Sets of words are compared only if they share one of their rarest words, which near ones have to.

    That is the prefix filter of Bayardo et al. 2007, https://doi.org/10.1145/1242572.1242591, but for words that stand
    in more than _COMMON texts: texts that share none but those are near alike only if all their words are the same.
    """
    part, whole = NEAR_WORDS
    sets = [frozenset(_WORD.findall(unicodedata.normalize("NFC", text).casefold())) for text in texts]
    first: dict[frozenset[str], int] = {}  # text of these words
    pairs = [(at, first.setdefault(words, at)) for at, words in enumerate(sets) if words]
    counts = Counter(word for words in first for word in words)
    earlier: dict[str, list[int]] = defaultdict(list)  # texts by their rarest words
    for words, at in first.items():
        size = len(words)
        rarest = sorted(words, key=lambda word: (counts[word], word))[: size - -(-part * size // whole) + 1]
        rarest = [word for word in rarest if counts[word] <= _COMMON]
        for other in {other for word in rarest for other in earlier[word]}:
            theirs = len(sets[other])
            if part * size <= whole * theirs and part * theirs <= whole * size:
                common = len(words & sets[other])
                if whole * common >= part * (size + theirs - common):
                    pairs.append((at, other))
        for word in rarest:
            earlier[word].append(at)
    return np.array(pairs, np.int64).reshape(-1, 2).T


def _near_pictures(hashes: np.ndarray) -> np.ndarray:
    found = [np.empty((2, 0), np.int64)]
    for begin in range(0, len(hashes), _BLOCK):
        distance = np.bitwise_count(hashes[begin : begin + _BLOCK, None] ^ hashes[None, begin:])
        found.append(np.stack(np.nonzero(distance <= NEAR_BITS)) + begin)
    return np.concatenate(found, axis=1)


def _picture_hashes(rows: Dataset) -> np.ndarray:
    """uint64 per picture of which low frequencies are strong: stays when it is resized, recompressed or lightened.

    The perceptual hash of Krawetz 2011 (http://www.hackerfactor.com/blog/?/archives/432-Looks-Like-It.html).
    """
    batches = rows.select_columns(["image"]).iter(_AT_ONCE)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = (found for batch in batches for found in pool.map(_picture_hash, batch["image"]))
        return np.fromiter(hashes, np.uint64, len(rows))


def _picture_hash(image: dict) -> int:
    grey = decode(image, _HASHED_AT).convert("L").resize((_HASHED_AT, _HASHED_AT))
    strengths = dctn(np.asarray(grey, np.float32))[:8, :8]
    return int.from_bytes(np.packbits(strengths > np.median(strengths)).tobytes(), "big")


def _texts(rows: Dataset) -> Iterator[str]:
    """The text of each row; of a pair, both."""
    columns = [name for name in ("text", "text_pair") if name in rows.column_names]
    batches = rows.select_columns(columns).iter(_BATCH)
    return ("\n".join(texts) for batch in batches for texts in zip(*(batch[name] for name in columns), strict=True))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
