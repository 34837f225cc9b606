from pathlib import Path

from services.mail.sync.inward.spool import Spool


def test_little_stays_in_memory() -> None:
    with Spool(in_memory=10) as spool:
        spool.write(b"01234")
        spool.write(b"56789")

        assert (spool.path, spool.octets()) == (None, b"0123456789")


def test_much_goes_to_a_file_that_ends_with_its_use() -> None:
    with Spool(in_memory=10) as spool:
        spool.write(b"01234")
        spool.write(b"567890")
        spool.flush()

        assert spool.path is not None
        path = Path(spool.path)
        assert (path.read_bytes(), spool.tell()) == (b"01234567890", 11)
    assert not path.exists()


def test_another_attempt_begins_anew() -> None:
    with Spool(in_memory=10) as spool:
        spool.write(b"x" * 20)
        spool.seek(0)
        spool.truncate()
        spool.write(b"y")
        spool.flush()

        assert spool.path is not None
        assert Path(spool.path).read_bytes() == b"y"
