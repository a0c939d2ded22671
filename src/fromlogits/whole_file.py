"""A file that appears under its name whole or not at all, whatever happens while it is written.

Where Linux and the file system have it, the bytes go to a file that has no name yet (O_TMPFILE), so that even a process
killed while it writes leaves nothing behind. Elsewhere they go to a file `.fromlogits-….tmp` in the same folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import FromlogitsError, InputError

DESCRIPTORS = "/proc/self/fd"
_FLAGS = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOSYS, errno.ENOENT}
"""How file systems and old kernels say that they have no files without a name."""
_NO_LINKS = {errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EXDEV, errno.ENOSYS, errno.ENOENT}
"""How file systems and guards of processes say that a file may not be given a name, or a second one."""
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EOPNOTSUPP}
"""How some network folders say that they can't be synced."""


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """A stream to write; when the block ends well, the file is synced and appears under its name.

    Until then, and if anything goes wrong, an interrupt too, `path` holds what it held. A symbolic link stays, and what
    it points to is replaced. The new file has the permissions of any new file.

    Args:
        path: where to; the folder must exist.
        overwrite: replace a file that is there.

    Raises:
        FileExistsError: the file is there and `overwrite` is False.
        OSError: it could not be written, and nothing was changed.
        FromlogitsError: it is written, but its folder could not be synced.
    """
    target = Path(os.path.realpath(path))
    folder = _open_folder(target.parent)  # what can fail, fails while the old file is still there
    try:
        temporary = _temporary_name(target.parent)
        try:
            file, is_named = _create(temporary)
            try:
                with open(file, "wb", closefd=False) as stream:
                    yield stream
                os.fsync(file)
                is_there = not is_named and _name(file, folder, temporary, target, overwrite=overwrite)
            finally:
                _close(file)
            if not is_there:
                _rename(temporary, target, overwrite=overwrite)
        except BaseException:  # Ctrl-C too
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync(folder, target)
    finally:
        _close(folder)


def check_folder(folder: Path) -> None:
    """Raise OSError unless a new file may be made there and the folder synced. Leaves nothing behind."""
    _close(_open_folder(folder))  # as `whole_file` does: one that may be written but not read can't be synced
    temporary = _temporary_name(folder)
    try:
        _close(_create(temporary)[0])
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def check_room(what: str, folder: Path, expected_bytes: int) -> None:
    """Raise InputError if a file of so many bytes has no room there, beside the one that it may replace.

    Args:
        what: what needs the room, as the message begins.
    """
    if hasattr(os, "statvfs"):
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        if disk.f_blocks and free < expected_bytes:  # some network folders don't know their size
            raise InputError(
                f"{what} {expected_bytes:,} bytes, and the disk of {str(folder)!r} has {free:,} free;"
                " make room or choose another folder."
            )
    limit = _file_size_limit()
    if limit is not None and limit < expected_bytes:
        raise InputError(f"{what} {expected_bytes:,} bytes, but a file may have {limit:,} here (ulimit -f).")


def _temporary_name(folder: Path) -> Path:
    return folder / f".fromlogits-{secrets.token_hex(8)}.tmp"


def _create(temporary: Path) -> tuple[int, bool]:
    """An open file in the folder of `temporary`, and whether it has that name or none yet."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir(DESCRIPTORS):
        try:
            return os.open(temporary.parent, _FLAGS | os.O_TMPFILE, 0o666), False  # less the umask, as any new file
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
    return os.open(temporary, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666), True


def _name(file: int, folder: int | None, temporary: Path, target: Path, *, overwrite: bool) -> bool:
    """Give the file without a name that of `target`; False where that can't be, and a copy of it is `temporary`."""
    source = f"{DESCRIPTORS}/{file}"
    try:
        try:
            os.link(
                source, target, src_dir_fd=folder
            )  # without a descriptor CPython's link would not follow the source
            return True
        except FileExistsError:
            if not overwrite:
                raise
        os.link(source, temporary, src_dir_fd=folder)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy(file, temporary)
        return False
    os.replace(temporary, target)  # at once: a process killed before it leaves `temporary`
    return True


def _copy(file: int, temporary: Path) -> None:
    """The synced bytes of `file` once more, under a name."""
    copy = os.open(temporary, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(file, "rb", closefd=False) as source, open(copy, "wb", closefd=False) as stream:
            source.seek(0)
            shutil.copyfileobj(source, stream, 2**20)
        os.fsync(copy)
    finally:
        _close(copy)


def _rename(temporary: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)  # a rename would replace a file that came meanwhile
    except FileExistsError:
        raise
    except OSError:  # no second names here
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.replace(temporary, target)
    else:
        os.unlink(temporary)


def _sync(folder: int | None, target: Path) -> None:
    if folder is None:
        return
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise FromlogitsError(
                f"{str(target)!r} is saved, but syncing its folder failed ({error.strerror or error}):"
                " after a power cut the old file may be back."
            ) from error


def _open_folder(folder: Path) -> int | None:
    """A descriptor to sync the folder by; None on Windows, which has none."""
    return None if os.name == "nt" else os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


def _close(file: int | None) -> None:
    """Close what was synced or only read: an error now tells nothing about the bytes."""
    if file is not None:
        with contextlib.suppress(OSError):
            os.close(file)


def _file_size_limit() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit
