"""The bytes of a text file are read as the characters they were, or refused by byte and line."""

import pytest

from studio.data.reading import encodings
from studio.errors import RequestError

FRENCH = "texte,classe\n" + "La radioactivité met à mal la biodiversité, dit-on à l'école.,mal\n" * 20


def found(folder, content: bytes) -> tuple[str, str]:
    """The text as read, and the note."""
    path = folder / "a.csv"
    path.write_bytes(content)
    encoding, note = encodings.find(path)
    with encodings.open_text(path, encoding) as file:
        return file.read(), note


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_read_in_every_form_and_without_its_byte_order_mark(tmp_path, encoding):
    assert found(tmp_path, FRENCH.encode(encoding)) == (FRENCH, None)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_western_european_text_is_read_and_the_guess_is_told(tmp_path, encoding):
    text, note = found(tmp_path, FRENCH.encode(encoding))
    assert text == FRENCH
    assert "line 2: byte 28 (0xe9)" in note and "Windows-1252" in note


def test_text_of_central_europe_comes_with_the_remedy_for_wrong_characters(tmp_path):
    text, note = found(tmp_path, ("text,label\n" + "Wszystko dobrze, mówię przecież\n" * 20).encode("cp1250"))
    assert "mówiê" in text and "save it as UTF-8 if characters look wrong" in note


def test_another_alphabet_is_refused_by_byte_and_line(tmp_path):
    with pytest.raises(RequestError, match=r"a.csv, line 2: byte 11 \(0xcf\) is not UTF-8"):
        found(tmp_path, "text,label\nПривет, мир,1\n".encode("cp1251"))


def test_damaged_utf8_is_refused_instead_of_read_as_something_else(tmp_path):
    whole = FRENCH.encode()
    with pytest.raises(RequestError, match="line 21: byte"):
        found(tmp_path, whole[:-30] + b"\xff" + whole[-30:])


def test_a_character_cut_by_the_end_of_a_block_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(encodings, "_CHUNK_BYTES", 7)
    assert found(tmp_path, ("é€😀" * 50).encode()) == ("é€😀" * 50, None)
    with pytest.raises(RequestError, match=r"line 1: byte 450 \(0xff\)"):
        found(tmp_path, ("é€😀" * 50).encode() + b"\xff")


def test_a_damaged_gzip_file_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"no gzip")
    with pytest.raises(RequestError, match="no gzip"):
        encodings.find(path)
