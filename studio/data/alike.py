"""Which rows must not be torn apart: those of one content, of nearly the same content, of one group."""

import os
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from datasets import Dataset, concatenate_datasets
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from studio.data.decode import decode
from studio.data.reading.rows import hash_text

NEAR_WORDS = 4, 5  # texts with four fifths of their words in common are near alike
NEAR_BITS = 4  # pictures whose 64-bit hashes differ in at most so many bits are near alike

_BATCH = 1000  # rows
_CROWD = 300  # texts; what more of them have in common tells little and costs much
_PAIRED = 12  # rarest words of a text that are taken two by two, at most
_CHECKED = 10_000  # pairs of texts compared at once
_HASHED_AT = 32  # pixels; the hash looks at the 8 lowest frequencies each way
_AT_ONCE = 64  # pictures in memory
_COMPARED = 4_000_000  # pairs of pictures compared at once, of 8 bytes each
# Chinese and Japanese are written without spaces: each character counts as a word.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")


def contents(rows: Dataset) -> np.ndarray:
    """uint64 per row, equal where the contents are the same to a reader."""
    if "image" in rows.column_names:
        chunks = column(rows, "row_id").chunks
        hashes = (int(row_id[:16], 16) for chunk in chunks for row_id in chunk.to_pylist())
    else:
        hashes = (hash_text(_plain(text)) for text in texts(rows))
    return np.fromiter(hashes, np.uint64, len(rows))


def units(
    splits: dict[str, Dataset], contents: dict[str, np.ndarray], near: bool
) -> tuple[dict[str, np.ndarray], list[str]]:
    """uint64 per row, equal for rows that must stay together, in one split or in several; and notes on what was missed.

    They share a content or a group (the column "group", where there is one) or, if asked, are near alike; and so do
    the rows at both ends of a chain of such rows. A unit is called by its least content, whatever the order of rows.
    """
    hashes = np.concatenate(list(contents.values()))
    rows = concatenate_datasets(list(splits.values()))
    links, notes = [], []
    if "group" in rows.column_names:
        links.append(same_group(column(rows, "group")))
    if near:
        _, first = np.unique(hashes, return_index=True)
        pairs, crowded = near_pairs(rows.select(first))
        links.append(first[pairs])
        if crowded:
            notes.append(
                f"{crowded:,} texts consist of common words so much that some near duplicates of them may have been "
                "missed"
            )
    ends = np.cumsum([len(part) for part in contents.values()])[:-1]
    return dict(zip(contents, np.split(tie(hashes, links), ends), strict=True)), notes


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


def near_pairs(rows: Dataset) -> tuple[np.ndarray, int]:
    """(2, pairs) positions of rows whose texts or pictures are near alike; how many may be near to others as well."""
    if "image" in rows.column_names:
        return near_pictures(_picture_hashes(rows)), 0
    return _near_texts(texts(rows))


def near_pictures(hashes: np.ndarray) -> np.ndarray:
    """(2, pairs) positions of pictures that look alike; hashes: (pictures,) uint64 by `picture_hash`."""
    rows, found = max(1, _COMPARED // max(1, len(hashes))), [np.empty((2, 0), np.int64)]
    for begin in range(0, len(hashes), rows):
        distance = np.bitwise_count(hashes[begin : begin + rows, None] ^ hashes[None, begin:])
        found.append(np.stack(np.nonzero(distance <= NEAR_BITS)) + begin)
    return np.concatenate(found, axis=1)


def picture_hash(image: Image.Image) -> int:
    """64 bits that say which low frequencies are strong: they stay when it is resized, recompressed or lightened.

    The perceptual hash of Krawetz 2011 (http://www.hackerfactor.com/blog/?/archives/432-Looks-Like-It.html).
    """
    grey = image.convert("L").resize((_HASHED_AT, _HASHED_AT))
    strengths = dctn(np.asarray(grey, np.float32))[:8, :8]
    return int.from_bytes(np.packbits(strengths > np.median(strengths)).tobytes(), "big")


def column(rows: Dataset, name: str) -> pa.ChunkedArray:
    return rows.select_columns([name]).with_format("arrow")[:][name]


def texts(rows: Dataset) -> Iterator[str]:
    """The text of each row; of a pair, both."""
    columns = [name for name in ("text", "text_pair") if name in rows.column_names]
    batches = rows.select_columns(columns).iter(_BATCH)
    return ("\n".join(texts) for batch in batches for texts in zip(*(batch[name] for name in columns), strict=True))


def _near_texts(texts: Iterable[str]) -> tuple[np.ndarray, int]:
    """Sets of words are compared only if they share one of their rarest words, which near ones have to.

    That is the prefix filter of Bayardo et al. 2007, https://doi.org/10.1145/1242572.1242591. Texts that share such a
    word with a crowd are compared if they share two of their rarest words and the next, as near ones have to (Wang et
    al. 2012, https://doi.org/10.1145/2213836.2213847). What a crowd shares even then is given up.
    """
    bags, first, same = _bags(texts)
    part, whole = NEAR_WORDS
    sizes = np.diff(bags.indptr)
    needed = sizes - -(-part * sizes // whole) + 1  # rarest words
    near, crowded = _sharing(*_rarest(bags, np.arange(len(sizes)), needed), bags)
    paired = crowded[needed[crowded] < _PAIRED]
    owners, words = _rarest(bags, paired, np.minimum(needed + 1, sizes)[paired])
    steps = [(step, np.flatnonzero(owners[step:] == owners[:-step])) for step in range(1, _PAIRED)]
    pairs = np.concatenate([words[at] * bags.shape[1] + words[at + step] for step, at in steps])
    nearer, lost = _sharing(np.concatenate([owners[at] for _, at in steps]), pairs, bags)
    missed = len(crowded) - len(paired) + len(lost)
    return np.concatenate([same, first[near], first[nearer]], axis=1), missed


def _bags(texts: Iterable[str]) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """The different sets of words, each from its rarest word on; the first text of each; (2, links) texts of one set.

    (sets, words) True where a set has the word; words are numbered from the rarest on.
    """
    numbers: dict[str, int] = {}
    held, ends = array("i"), array("q", [0])
    first: dict[int, int] = {}  # text by its set
    same = array("q"), array("q")
    for at, text in enumerate(texts):
        words = set(_WORD.findall(unicodedata.normalize("NFC", text).casefold()))
        if not words:
            continue
        known = first.setdefault(hash_text(" ".join(sorted(words))), at)
        if known == at:
            held.extend(numbers.setdefault(word, len(numbers)) for word in words)
            ends.append(len(held))
        else:
            same[0].append(known)
            same[1].append(at)
    counts = np.bincount(held, minlength=len(numbers)).tolist()
    rarest = sorted(numbers, key=lambda word: (counts[numbers[word]], word))
    rank = np.empty(len(numbers), np.int32)
    rank[[numbers[word] for word in rarest]] = np.arange(len(rarest))
    bags = csr_array((np.ones(len(held), bool), rank[held], ends), shape=(len(first), len(numbers)))
    bags.sort_indices()
    return bags, np.fromiter(first.values(), np.int64), np.array(same)


def _rarest(bags: csr_array, sets: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rarest words of the named sets, so many of each: the set and the number of each word."""
    owners = np.repeat(sets, counts)
    places = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owners, bags.indices[bags.indptr[owners] + places].astype(np.int64)


def _sharing(owners: np.ndarray, keys: np.ndarray, bags: csr_array) -> tuple[np.ndarray, np.ndarray]:
    """(2, pairs) near sets that share a key, and the sets that share one with a crowd."""
    order = np.lexsort((owners, keys))
    owners = owners[order]
    counts = np.unique_counts(keys).counts
    later = np.repeat(np.cumsum(counts), counts) - np.arange(len(keys)) - 1  # sets with the same key
    crowded = np.repeat(counts > _CROWD, counts)
    at, found = np.flatnonzero(~crowded), [np.empty((2, 0), np.int64)]
    for step in range(1, _CROWD):
        at = at[later[at] >= step]
        for begin in range(0, len(at), _CHECKED):
            block = at[begin : begin + _CHECKED]
            pairs = np.stack([owners[block], owners[block + step]])
            found.append(pairs[:, _are_near(*pairs, bags)])
    return np.concatenate(found, axis=1), np.unique(owners[crowded])


def _are_near(one: np.ndarray, other: np.ndarray, bags: csr_array) -> np.ndarray:
    part, whole = NEAR_WORDS
    common = bags[one].multiply(bags[other]).sum(axis=1)
    sizes = np.diff(bags.indptr)
    return whole * common >= part * (sizes[one] + sizes[other] - common)


def _picture_hashes(rows: Dataset) -> np.ndarray:
    batches = rows.select_columns(["image"]).iter(_AT_ONCE)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        hashes = (found for batch in batches for found in pool.map(_hash, batch["image"]))
        return np.fromiter(hashes, np.uint64, len(rows))


def _hash(image: dict) -> int:
    return picture_hash(decode(image, _HASHED_AT))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())
