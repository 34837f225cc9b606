import time

import pytest

from services.mail.domain import mime
from services.mail.domain.mime.charsets import codec, decode_text

CHINESE = "本公司产品质量可靠、价格便宜。欢迎来电咨询洽谈业务。谢谢合作。"
JAPANESE = "いつもお世話になっております。次回の打ち合わせは来週の月曜日です。"
KOREAN = "안녕하세요. 다음 주 월요일 회의에 참석해 주시기 바랍니다. 감사합니다."
RUSSIAN = "Здравствуйте! Напоминаем, что встреча состоится в понедельник утром."
HEBREW = "שלום רב, הפגישה שלנו תתקיים ביום שני בבוקר"


@pytest.mark.parametrize(
    ("label", "encoding", "text"),
    [
        ("cp-850", "cp850", "Grüße"),
        ("iso-8859-8-i", "iso8859-8", HEBREW),
        ("unicode-1-1-utf-7", "utf-7", "Grüße"),
        ("ks_c_5601-1987", "cp949", KOREAN + "뷁"),
        ("x-sjis", "cp932", JAPANESE + "①"),
        ("gb2312", "gbk", CHINESE + "镕"),
        ("utf8mb4", "utf-8", "Grüße 🙂"),
        ("iso-8859-1", "cp1252", "“price”: 5 €"),
        ("windows-1251", "cp1251", RUSSIAN),
        ("win-1251", "cp1251", RUSSIAN),
        ("'utf-8'", "utf-8", "Grüße"),
        ("UTF8", "utf-8", "Grüße"),
        ("euc-kr", "cp949", KOREAN),
        ("big5", "big5", "台灣的朋友"),
        ("utf-16", "utf-16", "Grüße"),
    ],
)
def test_a_label_means_what_mail_means_by_it(label: str, encoding: str, text: str) -> None:
    assert decode_text(text.encode(encoding), label) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("gb18030", CHINESE * 4), ("cp932", JAPANESE * 4), ("cp1251", RUSSIAN * 4)],
)
@pytest.mark.parametrize("label", [None, "us-ascii", "x-unknown", "utf-8"])
def test_a_charset_that_is_missing_or_wrong_is_guessed(
    label: str | None, encoding: str, text: str
) -> None:
    assert decode_text(text.encode(encoding), label) == text


def test_a_little_damage_does_not_change_the_charset() -> None:
    text = decode_text(("ä" * 200).encode() + b"\xff" + "ö".encode(), "utf-8")
    assert text == "ä" * 200 + "\ufffdö"


@pytest.mark.parametrize("label", ["punycode", "idna", "unicode_escape", "hex", "x" * 900, "a\0b"])
def test_codecs_that_are_no_charsets_are_not_used(label: str) -> None:
    started = time.process_time()
    assert codec(label) is None
    decode_text(b"a-\xff\\ud800" * 100_000, label)
    assert time.process_time() - started < 2


def test_utf_16_text_is_read() -> None:
    raw = b"Content-Type: text/plain; charset=utf-16\nContent-Transfer-Encoding: base64\n\n"
    assert mime.parse(raw + b"//5IAGkA").text == "Hi"
