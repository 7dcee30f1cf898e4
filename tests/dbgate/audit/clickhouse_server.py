"""`python clickhouse_server.py DIR HTTP_PORT TCP_PORT`: a ClickHouse server on loopback until stdin closes.

The engine is the one that chdb-core ships. `_chdb` is a private name, so a missing one fails loudly at the import.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

USERS = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
<access_management>1</access_management></default></users></clickhouse>"""

CONFIG = """<clickhouse><listen_host>127.0.0.1</listen_host><http_port>{http}</http_port><tcp_port>{tcp}</tcp_port>
<users_config>{folder}/users.xml</users_config>
<logger><level>warning</level><log>{folder}/server.log</log></logger></clickhouse>"""

SERVE = (
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; "
    "SELECT * FROM file('/dev/stdin', LineAsString) FORMAT Null"  # ends when stdin does
)


def main(folder: Path, http: int, tcp: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "users.xml").write_text(USERS)
    (folder / "clickhouse-local.xml").write_text(CONFIG.format(http=http, tcp=tcp, folder=folder))
    os.chdir(folder)
    engine: Any = import_module("chdb._chdb")
    result = engine.query(SERVE, "TabSeparated", path=str(folder / "data"))
    if result.has_error():
        sys.exit(result.error_message())


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]), int(sys.argv[3]))
