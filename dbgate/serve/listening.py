"""The sockets that clients connect to. The supervisor opens them and workers inherit them, so that an address in use is
found before anything starts, and connections wait in the queue while a worker is started again."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from dbgate.settings.listeners import Listener
from dbgate.settings.model import Address, Protocol

BACKLOG = 1024


class CannotListen(Exception):  # noqa: N818
    """The message names the address and the reason."""


@dataclass(frozen=True, slots=True)
class Open:
    """A socket that listens. `place`: whose clients come there, at the address that the settings say."""

    place: Listener
    socket: socket.socket

    def __str__(self) -> str:
        return str(replace(self.place, address=address_of(self.socket)))


def open_listeners(places: Iterable[Listener], workers: int) -> list[list[Open]]:
    """For each worker its sockets, one for each address. On TCP each worker has its own (SO_REUSEPORT), on unix sockets
    they share one. Port 0 is any free port, the same for all workers. Raises CannotListen."""
    shares: list[list[Open]] = [[] for _ in range(workers)]
    try:
        for place in places:
            for share, listener in zip(shares, _open(place.address, workers), strict=True):
                share.append(Open(place, listener))
    except BaseException:
        close_listeners(shares)
        raise
    return shares


def close_listeners(shares: Iterable[Iterable[Open]]) -> None:
    for listener in {each.socket for share in shares for each in share}:
        listener.close()


def hand_down(share: Iterable[Open]) -> str:
    """What a child process has to be told of the sockets that it inherits."""
    return json.dumps([[each.socket.fileno(), each.place.protocol.value, each.place.database] for each in share])


def inherit(text: str) -> list[Open]:
    """The child's side of `hand_down`."""
    return [_inherited(*words) for words in json.loads(text)]


def _inherited(descriptor: int, protocol: str, database: str) -> Open:
    listener = socket.socket(fileno=descriptor)
    return Open(Listener(address_of(listener), Protocol(protocol), database), listener)


def _open(address: Address, workers: int) -> list[socket.socket]:
    try:
        if address.path is not None:
            return [_unix(str(address.path))] * workers
        return _tcp(address, workers)
    except OSError as fault:
        raise CannotListen(f"cannot listen on {address}: {fault.strerror or fault}") from None


def _tcp(address: Address, workers: int) -> list[socket.socket]:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    found: list[socket.socket] = []
    try:
        for _ in range(workers):
            listener = socket.socket(family, kind, protocol)
            found.append(listener)
            _set_options(listener, family, shared=workers > 1)
            listener.bind(place)
            listener.listen(BACKLOG)
            place = listener.getsockname()
    except BaseException:
        for listener in found:
            listener.close()
        raise
    return found


def _set_options(listener: socket.socket, family: int, *, shared: bool) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _unix(path: str) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, 0o777)  # noqa: S103  as PostgreSQL's own: who may log in is decided by the login
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _remove_stale(path: str) -> None:
    """A socket that nobody listens on is what a killed gate left behind."""
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)


def address_of(listener: socket.socket) -> Address:
    """Where it really listens."""
    name = listener.getsockname()
    if isinstance(name, tuple):
        return Address(name[0], name[1])
    return Address(path=Path(name))
