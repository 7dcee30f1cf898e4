"""A small server that lets clients in through Reception, and answers every query with how they came."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dbgate.identity.passwords import PasswordMemory
from dbgate.identity.users import Users
from dbgate.net.client_login import ENDINGS
from dbgate.net.mysql.client_login import Admission, Door, LoginRefused, Reception
from dbgate.net.mysql.keys import RsaKeys
from dbgate.net.setup_stream import ConnectionEnded
from dbgate.net.tls import server_tls
from dbgate.settings import User
from dbgate.settings.model import ClientTls
from protocols.mysql import native_password, packets
from protocols.mysql.replies import Ok, error
from protocols.postgres.scram import Verifier
from tests.live.certificates import KeyPair

PASSWORD = "client-secret"
VERSION = "9.7.4"
NO_SUCH_TABLE = 1146
#: seconds that a login of the tests may take
TIMEOUT = 20.0


def users(*names: str, native: tuple[str, ...] = (), databases: tuple[str, ...] = ("shop",)) -> dict[str, User]:
    made = Verifier.make(PASSWORD, os.urandom(16)).encode()
    return {
        name: User(name, "agent", made, databases,
                   native_verifier=native_password.verifier(PASSWORD) if name in native else "")
        for name in names
    }  # fmt: skip


def make_door(
    known: dict[str, User] | None = None,
    *,
    pair: KeyPair | None = None,
    version: str = VERSION,
    tls_required: bool = False,
    database: str = "",
) -> Door:
    return Door(
        users=Users(known or users("agent"), b"s" * 32),
        databases=frozenset({"shop", "crm"}),
        passwords=PasswordMemory(),
        keys=RsaKeys(),
        server_version=version,
        tls=server_tls(ClientTls(pair.certificate, pair.key)) if pair else None,
        tls_required=tls_required,
        database=database,
    )


@dataclass(slots=True)
class Server:
    """`admitted` and `refused`: of every client, in order."""

    port: int
    path: Path
    admitted: list[Admission] = field(default_factory=list)
    refused: list[LoginRefused] = field(default_factory=list)
    ended: list[BaseException] = field(default_factory=list)


@contextlib.contextmanager
def serving(door: Door, directory: Path, *, uvloop: bool = False) -> Iterator[Server]:
    """Serves on a port and on a unix socket until the block is left."""
    listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)]
    path = directory / "mysql.sock"
    path.unlink(missing_ok=True)
    listeners[1].bind(str(path))
    listeners[1].listen()
    server = Server(listeners[0].getsockname()[1], path)
    loop = _new_loop(uvloop)
    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_serve(listeners, door, server, stop),))
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT)
        loop.close()


def _new_loop(uvloop: bool) -> asyncio.AbstractEventLoop:
    if uvloop:
        import uvloop as implementation

        return implementation.new_event_loop()
    return asyncio.new_event_loop()


async def _serve(listeners: list[socket.socket], door: Door, server: Server, stop: asyncio.Event) -> None:
    tasks = {asyncio.create_task(_accept(listener, door, server)) for listener in listeners}
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for listener in listeners:
        listener.close()
    await asyncio.sleep(0.05)  # the last bytes of TLS


async def _accept(listener: socket.socket, door: Door, server: Server) -> None:
    listener.setblocking(False)
    clients: set[asyncio.Task[None]] = set()
    try:
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            task = asyncio.create_task(_client(Reception(client, door, 7), server))
            clients.add(task)
            task.add_done_callback(clients.discard)
    finally:
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def _client(reception: Reception, server: Server) -> None:
    try:
        async with asyncio.timeout(TIMEOUT):
            admission = await reception.admit()
    except LoginRefused as refusal:
        server.refused.append(refusal)
        reception.refuse(refusal)
        return
    except (*ENDINGS, TimeoutError) as ending:
        server.ended.append(ending)
        return
    server.admitted.append(admission)
    try:
        await _answer(admission)
    except ConnectionEnded:
        pass
    finally:
        admission.stream.transport.close()


async def _answer(admission: Admission) -> None:
    """OK to what drivers say at first; an error to every SELECT."""
    admission.login.accept(Ok())
    admission.stream.write(admission.login.to_send())
    reader = packets.PacketReader(1 << 20)
    while True:
        reader.receive(await admission.stream.read())
        while (message := reader.message()) is not None:
            if message.payload[:1] == b"\x01":  # COM_QUIT
                return
            admission.stream.write(packets.encode(_reply(admission, message.payload), message.next))
            reader.expect(0)


def _reply(admission: Admission, command: bytes) -> bytes:
    if b"SELECT how" in command:
        return error(NO_SUCH_TABLE, "42S02", f"by {admission.authentication}").encode(admission.capabilities)
    return Ok().encode(admission.capabilities)
