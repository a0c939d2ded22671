"""How a file is to be read, where the user knows better than its looks."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import InputError, nearest

if TYPE_CHECKING:
    from .backbones.backbone import Backbone

Form = Literal["csv", "tsv", "jsonl", "parquet", "arrow", "svmlight", "npz", "idx", "pictures"]
Header = Literal["names", "none", "mend"]
FORMS: tuple[str, ...] = get_args(Form)
HEADERS: tuple[str, ...] = get_args(Header)
_WORDS = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}


@dataclass(frozen=True)
class Reading:
    """What is said about a file; None and () leave it to the file.

    Attributes:
        form: what kind of file it is, whatever its name says.
        encoding: of text that is not UTF-8, by a name that Python knows.
        separator: the one character between the values of a row.
        quote: the character around a value that holds a separator; "" where there is none.
        decimal: "." or ",": the sign in 1.5.
        header: "names": line 1 holds the column names; "none": it holds data; "mend": it holds names, of which the
            repeated and empty ones are numbered.
        label_separator: the one character between the labels of a row, in a target column of texts such as "car|bus".
        missing: words that stand for a missing value, as an empty field does.
        numeric: columns to read as numbers although they look like codes: 007, or integers that float64 rounds.
        is_about_columns: the user says `missing` or `numeric` of this file, beside what a model remembers.
        as_text: columns whose text is wanted as it stands: of categories, "yes" and "007" may be the names.
        images: the column of a table that names picture files, or holds them.
        image_root: the folder or zip file in which a table's picture files lie; None: the table's folder.
        image_size: (h, w) of new pictures; None: as the files are.
        image_cache: a folder for decoded pixels.
        skip_bad: pictures that can't be read are left out, and said.
        backbone: what looks at the pictures: the rows are what it makes of them, and those are what the cache keeps.
    """

    form: str | None = None
    encoding: str | None = None
    separator: str | None = None
    quote: str | None = None
    decimal: str | None = None
    header: str | None = None
    label_separator: str | None = None
    missing: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    is_about_columns: bool = False
    as_text: tuple[str, ...] = ()
    images: str | None = None
    image_root: str | None = None
    image_size: tuple[int, int] | None = None
    image_cache: str | None = None
    skip_bad: bool = False
    backbone: Backbone | None = None

    @property
    def is_about_text(self) -> str:
        """The first option that makes sense for delimited text alone; "" where none is set."""
        named = {"separator": self.separator, "quote": self.quote, "decimal": self.decimal, "header": self.header}
        return next((name for name, value in named.items() if value is not None), "")

    @property
    def is_about_pictures(self) -> str:
        """The first option that makes sense for pictures in files alone; "" where none is set."""
        said = {
            "images": self.images, "image-root": self.image_root, "image-size": self.image_size,
            "image-cache": self.image_cache if self.backbone is None else None, "skip-bad": self.skip_bad or None,
        }  # fmt: skip
        return next((name for name, value in said.items() if value is not None), "")

    def options(self) -> list[str]:
        """What is said of one file, as one types it; what a model remembers of its columns is left out."""
        quote = "none" if self.quote == "" else self.quote
        separator = "tab" if self.separator == "\t" else self.separator
        said = (
            ("--format", self.form),
            ("--encoding", self.encoding),
            ("--separator", separator),
            ("--quote", quote),
            ("--decimal", self.decimal),
            ("--header", self.header),
            ("--image-root", self.image_root),
            ("--image-cache", self.image_cache),
        )
        words = [word for option, value in said if value is not None for word in (option, value)]
        return [*words, *["--skip-bad"] * self.skip_bad]

    @classmethod
    def of_options(
        cls,
        *,
        form: str | None = None,
        encoding: str | None = None,
        separator: str | None = None,
        quote: str | None = None,
        decimal: str | None = None,
        header: str | None = None,
        missing: tuple[str, ...] = (),
        numeric: tuple[str, ...] = (),
        images: str | None = None,
        image_root: str | None = None,
        image_cache: str | None = None,
        skip_bad: bool = False,
    ) -> Reading:
        """Checked options, as one types them; raises InputError that names the option."""
        if form is not None and form not in FORMS:
            raise InputError(f"--format must be one of {', '.join(FORMS)}; got {form!r}.{nearest(form, FORMS)}")
        if header is not None and header not in HEADERS:
            raise InputError(f"--header must be one of {', '.join(HEADERS)}; got {header!r}.{nearest(header, HEADERS)}")
        if decimal not in (None, ".", ","):
            raise InputError(f"--decimal must be . or ,; got {decimal!r}.")
        separator = one_character("--separator", separator)
        quote = "" if quote in ("none", "") else one_character("--quote", quote)
        if separator is not None and separator in ('"', "'", "\n", "\r", quote, "."):
            raise InputError(f"--separator can't be {separator!r}.")
        said = bool(missing or numeric)
        return cls(
            form, _encoding(encoding), separator, quote, decimal, header, None, missing, numeric, said,
            images=images, image_root=image_root, image_cache=image_cache, skip_bad=skip_bad,
        )  # fmt: skip


def is_sign(text: str) -> bool:
    """Whether it can stand between values: one character that is no letter, digit or line end."""
    return len(text) == 1 and text.isascii() and not text.isalnum() and (text.isprintable() or text == "\t")


def one_character(option: str, text: str | None) -> str | None:
    """A sign that stands between values, by itself or by its name; InputError that names the option."""
    if text is None:
        return None
    sign = _WORDS.get(text, text)
    if not is_sign(sign):
        raise InputError(f"{option} must be one character that is no letter and no digit, or 'tab'; got {text!r}.")
    return sign


def _encoding(name: str | None) -> str | None:
    """The encoding, None for UTF-8."""
    if name is None:
        return None
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        known = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "shift_jis", "gb18030", "big5", "euc-kr")
        raise InputError(
            f"--encoding must be a name that Python knows, such as {', '.join(known[:5])}; got {name!r}."
            f"{nearest(name, known)}"
        ) from None
    if not getattr(codec, "_is_text_encoding", True) or codec.name in ("idna", "punycode", "undefined"):
        raise InputError(f"--encoding must name an encoding of text; {name!r} is none.")
    return None if codec.name in ("utf-8", "utf-8-sig") else codec.name
