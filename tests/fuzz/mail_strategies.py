"""Mail as nobody should write it: trees of odd parts, torn samples, HTML that attacks."""

from pathlib import Path
from typing import TypeVar

from hypothesis import strategies as st

from cli.demo.mailbag import SAMPLES

T = TypeVar("T")

CHARSETS = (
    *("utf-8", "US-ASCII", "iso-8859-1", "windows-1252", "gb2312", "big5", "shift_jis", "koi8-r"),
    *("iso-2022-jp", "iso-2022-kr", "hz", "utf-7", "utf-16", "utf-16le", "utf-32", "utf-8-sig"),
    *("unicode_escape", "idna", "punycode", "base64", "rot13", "zlib", "undefined", "mbcs", "bz2"),
    *("cp437", "cp037", "utf8mb4", "", " ", "'", '"utf-8', "utf-8;", "x" * 80, "unknown-8bit"),
    *(
        "us-ascii''%41",
        "\xff",
        "utf-8\0",
        "none",
        "quopri",
        "uu",
        "hex",
        "cp65001",
        "x-mac-japanese",
    ),
)
ENCODINGS = (
    *("7bit", "8bit", "binary", "base64", "quoted-printable", "BASE64 ", "x-uuencode", "uuencode"),
    *("", "base64, 8bit", "quoted-printable;x", "gzip", "\0"),
)
TYPES = (
    *(
        "text/plain",
        "text/html",
        "text/calendar",
        "message/delivery-status",
        "text/enriched",
        "text/rfc822-headers",
        "text/csv",
    ),
    *("application/pdf", "image/png", "message/rfc822", "message/global", "message/partial"),
    *("message/disposition-notification", "message/feedback-report"),
    *(
        "message/external-body",
        "application/octet-stream",
        "text",
        "/",
        "",
        "multipart",
        "TEXT/HTML",
    ),
    *("multipart/mixed", "text/html/xml", "a" * 300 + "/b", "text/pl\0ain", "\xe9/\xe9"),
)
SUBTYPES = (
    *("mixed", "alternative", "related", "signed", "report", "digest", "parallel", "encrypted"),
    *("appledouble", "x-odd", "", "form-data"),
)
BOUNDARIES = (
    *("b", "b", "bb", "=_b", "--", "-", " ", "b ", "'", "a" * 70, "a" * 3000, "b\0", "\xff", "b--"),
    *("", "=?utf-8?q?b?=", "(b)", "b;c", '"', "ünï"),
)
NAMES = (
    *("From", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "In-Reply-To", "References"),
    *("Content-ID", "Content-Disposition", "Content-Type", "Content-Transfer-Encoding"),
    *("MIME-Version", "Reply-To", "Received", "Content-Language", "X-" + "h" * 300, "", " ", "F r"),
)
WORDS = (
    *("=?utf-8?q?a=20b?=", "=?utf-8?b?4oKs?=", "=?utf-8?b?4oK?=", "=?utf-8?q?=e2=82?=", "=??q?a?="),
    *("=?utf-8?x?a?=", "=?utf-8*en?q?a?=", "=?idna?b?AAAA?=", "=?utf-7?q?+AGE-?=", "=?" * 50),
    *("=?utf-8?q?=00=0d=0a?=", "=?utf-16?b?2AA=?=", "=?utf-8?q?=ed=a0=80?=", "=?big5?b?oUA=?="),
    *("ada@example.com", "<ada@example.com>", "Ada <ada@example.com>", "a@b", "@", "<>", "team:;"),
    *("team: a@b.test, c@d.test;", "(((", ")))", '"', '\\"', ",,,,", "<a@b", "a@[127.0.0.1]", "::"),
    *("<1@x.test>", "<1@x.test> <2@x.test>", "<" * 40, "Fri, 21 Nov 1997 09:00:06 -0300"),
    *("Mon, 99 Foo 99999 25:61:61 +9999", "31 Dec 9999 23:59:59 -2359", "1 Jan 1970 0:00 +2400"),
    *("attachment", 'attachment; filename="a.txt"', "inline; filename*=utf-8''%e2%82%ac%00"),
    *("attachment; filename*0*=x''a; filename*1=b; filename*9999999999=c", "; ; ;=;"),
    *("attachment; filename=../../etc/passwd", 'x; filename="a\r\n b"', "x; filename*=''%"),
    *("text/plain; charset*=utf-8''utf-8", "multipart/mixed; boundary*0=b; boundary*1=b"),
    *("\0", "\x7f", "\x1b", "\xe9", "\u202e", "\u2028", "\r\n ", "\r\n\t", "\n", "\r", " " * 60),
)

USUAL = (
    *(
        "From: Ada <ada@example.com>",
        "To: a@b.test, =?utf-8?q?Zo=C3=AB?= <c@d.test>",
        "Cc: t: x@y.z;",
    ),
    *("Date: Fri, 21 Nov 1997 09:00:06 -0300", "Subject: =?utf-8?b?4oKs?= and more"),
    *("Message-ID: <1@x.test>", "References: <1@x.test> <2@x.test>", "Content-ID: <3@x.test>"),
    *("Content-Disposition: attachment; filename=a.txt", "Content-Disposition: inline"),
)

junk = st.one_of(
    st.binary(max_size=40), st.text(max_size=20).map(lambda t: t.encode(errors="replace"))
)


def octets(text: str) -> bytes:
    """Return text as it may stand in a message: what fits one octet as that."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def one_of(words: tuple[str, ...]) -> st.SearchStrategy[bytes]:
    """Return a strategy for one of some words, the first ones mostly, now and then for junk."""
    usual = st.sampled_from(words[: min(4, len(words))]).map(octets)
    return weighted((8, usual), (4, st.sampled_from(words).map(octets)), (1, junk))


def weighted(*choices: tuple[int, st.SearchStrategy[T]]) -> st.SearchStrategy[T]:
    """Return a strategy that takes one of others, by their weights."""
    return st.sampled_from([one for weight, one in choices for _ in range(weight)]).flatmap(
        lambda chosen: chosen
    )


many = st.sampled_from([1] * 16 + [2, 3, 40, 1500])
words = weighted((8, st.sampled_from(WORDS).map(octets)), (1, junk))
value = st.builds(lambda parts, times: b" ".join(parts) * times, st.lists(words, max_size=4), many)
plain = value.map(lambda text: text.replace(b"\r", b"").replace(b"\n", b""))
field = weighted(
    (4, st.sampled_from(USUAL).map(octets)),
    (8, st.builds(lambda name, text: name + b": " + text, one_of(NAMES[:14]), plain)),
    (1, st.builds(lambda name, text: name + b": " + text, one_of(NAMES), value)),
)
newline = st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r"])

TAGS = (
    *("a", "b", "p", "div", "table", "tr", "td", "br", "img", "font", "script", "style", "svg"),
    *(
        "math",
        "mtext",
        "mglyph",
        "annotation-xml",
        "foreignObject",
        "template",
        "noscript",
        "title",
    ),
    *("textarea", "select", "option", "form", "input", "iframe", "object", "embed", "base", "meta"),
    *("link", "body", "html", "head", "frameset", "plaintext", "xmp", "noembed", "p" * 300, "x:y"),
)
ATTRIBUTES = (
    *(
        'onclick="x()"',
        "onerror=x()",
        "ONLOAD='x()'",
        'href="javascript:x()"',
        "href=java\nscript:x",
    ),
    *('href="&#106;avascript:x()"', 'src="data:text/html,<b>"', 'src="vbscript:x"', "src=cid:1@x"),
    *(
        'style="background:url(javascript:x)"',
        'href="\x01javascript:x"',
        'xlink:href="javascript:x"',
    ),
    *('href="https://x.test/"', 'href="//x.test"', "srcdoc='<script>'", "formaction=javascript:x"),
    *('srcset="javascript:x 1x"', "id=x", "class=x", "name=body", "title='</p><script>'", "=", "/"),
    *('target="_blank"', 'rel="opener"', "alt=`onerror=x`", 'lang="\0"', 'poster="javascript:x"'),
)
MARKUP = (
    *("<!--", "-->", "<![CDATA[", "]]>", "<?xml", "?>", "<!doctype html>", "&", "&lt;", "&#0;"),
    *(
        "&#xd800;",
        "&#1114112;",
        "&nbsp;",
        "&#99999999999999;",
        "<",
        ">",
        "</",
        "/>",
        "\0",
        "\ufeff",
    ),
    *(
        "x",
        " ",
        "\n",
        "\xa0",
        "\u2028",
        "<%",
        "<script>alert(1)</script>",
        "--!>",
        "<!-->",
        "<a\0b>",
    ),
)

tag = st.builds(
    lambda end, name, attributes: f"<{end}{name} {' '.join(attributes)}>",
    st.sampled_from(["", "", "", "/"]),
    st.sampled_from(TAGS),
    st.lists(st.sampled_from(ATTRIBUTES), max_size=3),
)
markup = st.one_of(tag, tag, st.sampled_from(MARKUP), st.text(max_size=8))
html = st.builds(lambda parts, times: "".join(parts) * times, st.lists(markup, max_size=14), many)

QUOTED = (
    *("On Monday Ada wrote:", "> hello", ">> hello", "-- ", "-- \nAda", "From: ada@example.com"),
    *("-----Original Message-----", "Am 1.1.2026 schrieb Ada:", "Le lundi, Ada a écrit :", ""),
    *("Em seg., Ada escreveu:", "________________", "Sent from my phone", "begin 644 a", "end"),
    *("METHOD:REQUEST", "UID:1", "BEGIN:VCALENDAR", "Action: failed", "Status: 5.1.1", "x" * 400),
    *("Final-Recipient: rfc822; a@b.test", "Disposition: a/b; displayed", "From x", ".", " ", "\t"),
)
lines = st.lists(st.one_of(st.sampled_from(QUOTED), st.text(max_size=30)), max_size=12)
prose = st.builds(lambda some, times: "\n".join(some * times), lines, many)


@st.composite
def body(draw: st.DrawFn) -> bytes:
    """Return the body of a leaf: text, HTML or junk, perhaps encoded."""
    return draw(
        st.one_of(
            html.map(lambda text: text.encode("utf-8", "surrogatepass")),
            prose.map(lambda text: text.encode("utf-8", "surrogatepass")),
            st.binary(max_size=200),
            st.text(alphabet="ABCDabcd0123+/=_- \r\n", max_size=200).map(str.encode),
            st.text(alphabet="=0123456789abcdefABCDEF \t\r\n", max_size=200).map(str.encode),
        )
    )


@st.composite
def head(draw: st.DrawFn, kind: bytes, end: bytes) -> bytes:
    """Return headers: of a content type, an encoding perhaps, and others."""
    fields = [b"Content-Type: " + kind]
    if draw(st.booleans()):
        fields.append(b"Content-Transfer-Encoding: " + draw(one_of(ENCODINGS)))
    fields += draw(st.lists(field, max_size=4))
    return end.join(fields) + end


@st.composite
def leaf(draw: st.DrawFn) -> bytes:
    """Return a part without parts."""
    end = draw(newline)
    charset, kind = draw(one_of(CHARSETS)), draw(one_of(TYPES))
    more = draw(
        st.sampled_from([b"", b"; format=flowed", b"; delsp=yes; format=flowed", b"; name=x"])
    )
    headers = draw(head(kind + b'; charset="' + charset + b'"' + more, end))
    return headers + draw(st.sampled_from([end] * 8 + [b"", end * 2])) + draw(body())


def container(children: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return a strategy for parts that hold parts, or a message."""

    @st.composite
    def build(draw: st.DrawFn) -> bytes:
        end, subtype = draw(newline), draw(one_of(SUBTYPES))
        boundary = draw(one_of(BOUNDARIES))
        said = draw(st.sampled_from([b'"%b"'] * 8 + [b"%b", b'"%b', b"=?utf-8?q?%b?="])) % boundary
        parts = draw(st.lists(children, max_size=4))
        inner = b"".join(end + b"--" + boundary + end + part for part in parts)
        last = draw(st.sampled_from([b"--%b--", b"--%b--", b"--%b", b"--%b---"])) % boundary
        headers = draw(head(b"multipart/" + subtype + b"; boundary=" + said, end))
        return headers + end + draw(junk) + inner + end + last + end + draw(junk)

    @st.composite
    def wrap(draw: st.DrawFn) -> bytes:
        end = draw(newline)
        return draw(head(b"message/rfc822", end)) + end + draw(children)

    return st.one_of(build(), build(), wrap())


messages = st.recursive(leaf(), container, max_leaves=8)
"""Messages of any shape, most of them broken in several ways."""

SAMPLE_MAIL = tuple(path.read_bytes()[:20_000] for path in sorted(Path(str(SAMPLES)).glob("*.eml")))


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """Return a sample with lines lost, repeated, moved, cut, or put in other charsets' octets."""
    mail = draw(st.sampled_from(SAMPLE_MAIL)).splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(mail) - 1, 0)))
        match draw(
            st.sampled_from(["lose", "repeat", "move", "cut", "insert", "junk", "swap", "end"])
        ):
            case "lose":
                del mail[at : at + draw(st.integers(1, 4))]
            case "repeat":
                mail[at:at] = mail[at : at + 3] * draw(many)
            case "move":
                mail[at:at] = mail[-draw(st.integers(1, 9)) :]
            case "cut":
                mail = mail[: at + 1]
            case "insert":
                mail[at:at] = [draw(field) + b"\r\n"]
            case "junk" if mail:
                mail[at] = mail[at][:9] + draw(junk) + mail[at][9:]
            case "swap" if mail:
                old, new = draw(
                    st.sampled_from(
                        [
                            (b"utf-8", b"utf-16"),
                            (b"base64", b"8bit"),
                            (b"--", b"-"),
                            (b"=", b""),
                            (b":", b""),
                            (b'"', b""),
                            (b"\r\n", b"\r"),
                            (b" ", b"\0"),
                        ]
                    )
                )
                mail[at] = mail[at].replace(old, new)
            case "end" if mail:
                mail[at] = mail[at].rstrip()
    return b"".join(mail)
