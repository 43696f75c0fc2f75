"""Kamailio's xcap_server on MariaDB, both from Debian packages, in scratch folders on loopback."""
import os
import shutil
import subprocess
import time

import bench_servers

MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
TABLES = "/usr/share/kamailio/mysql"

# As in the module's own example, with the shared secret taken from the user's name: no query per request for it, to
# Kamailio's advantage. Presence and resource list servers are not told of changes.
CONFIG = """
debug=0
log_stderror=yes
fork=yes
children={children}
tcp_children={children}
disable_tcp=no
tcp_accept_no_cl=yes
tcp_rd_buf_size=65536
tcp_max_connections=4096
tcp_connection_lifetime=3600
auto_aliases=no
listen=tcp:127.0.0.1:{port}
mpath="{modules}"
loadmodule "db_mysql.so"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "auth.so"
loadmodule "xhttp.so"
loadmodule "xcap_server.so"
modparam("auth", "nonce_expire", 3600)
modparam("auth", "qop", "auth")
modparam("xcap_server", "db_url", "mysql://kamailio:kamailio@127.0.0.1:{database}/kamailio")
modparam("xcap_server", "buf_size", 65536)
request_route {{ exit; }}
event_route[xhttp:request] {{
    if (!pv_www_authenticate("{realm}", "$au", "0")) {{
        www_challenge("{realm}", "1");
        exit;
    }}
    $xcapuri(u=>data) = $hu;
    $var(uri) = $xcapuri(u=>xuid);
    if ($au != $(var(uri){{uri.user}})) {{
        xhttp_reply("403", "Forbidden", "text/html", "operation not allowed");
        exit;
    }}
    switch ($rm) {{
        case "PUT": xcaps_put("$var(uri)", "$hu", "$rb"); exit; break;
        case "GET": xcaps_get("$var(uri)", "$hu"); exit; break;
    }}
    xhttp_reply("405", "Method Not Allowed", "", "");
    exit;
}}
"""


def start(bench, users):
    del users  # every name is its own password
    database = start_mariadb(bench)
    port = bench_servers.free_port()
    path = bench.path("kamailio", "kamailio.cfg")
    with open(path, "w") as file:
        file.write(CONFIG.format(port=port, database=database, modules=MODULES, realm=bench_servers.REALM,
                                 children=max(4, 2 * os.cpu_count())))
    server = bench_servers.Server(bench, "kamailio", [
        shutil.which("kamailio") or "/usr/sbin/kamailio", "-DD", "-E", "-f", path, "-Y", bench.path("kamailio", ""), "-P",
        bench.path("kamailio", "pid"), "-m", "256", "-M", "16"])
    server.port, server.md5 = port, True
    bench_servers.wait_for_port(port, server.process, "kamailio")
    return server


def start_mariadb(bench):
    """Its standard settings, so that every commit is durable (innodb_flush_log_at_trx_commit=1). The port."""
    folder, port = bench.path("mariadb", ""), bench_servers.free_port()
    socket = bench.path("mariadb", "s")
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={folder}data", "--skip-test-db",
                    "--auth-root-authentication-method=normal", *as_root], check=True, capture_output=True, timeout=300)
    server = bench_servers.Server(bench, "mariadb", [
        shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={folder}data",
        f"--socket={socket}", f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={folder}pid", *as_root])
    bench_servers.wait_for_port(port, server.process, "mariadb")
    tables = "".join(open(os.path.join(TABLES, f"{name}-create.sql")).read() for name in ("standard", "presence"))
    statements = ("CREATE DATABASE kamailio; CREATE USER kamailio@'127.0.0.1' IDENTIFIED BY 'kamailio';"
                  "CREATE USER kamailio@localhost IDENTIFIED BY 'kamailio';"
                  "GRANT ALL ON kamailio.* TO kamailio@'127.0.0.1'; GRANT ALL ON kamailio.* TO kamailio@localhost;"
                  "USE kamailio;" + tables)
    for _ in range(50):
        done = subprocess.run(["mariadb", "--no-defaults", f"--socket={socket}", "-u", "root"], input=statements,
                              text=True, capture_output=True, timeout=60)
        if done.returncode == 0:
            return port
        time.sleep(0.2)
    raise RuntimeError(f"mariadb: {done.stderr}")
