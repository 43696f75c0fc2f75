"""The servers of the SIP bench: im-glue with its documents made by xdms, and Kamailio as registrar, stateful relay, group
server (imc) and message store (msilo) on PostgreSQL, both from Debian packages, in scratch folders on loopback."""
import glob
import json
import os
import shutil
import subprocess
import time

import bench_servers

MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/"
TABLES = "/usr/share/kamailio/postgres"
DOMAIN = "example.com"

GROUP = """<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:cp="urn:ietf:params:xml:ns:common-policy">
<list-service uri="sip:{name}@example.com"><list>{entries}</list><invite-members>true</invite-members>
<max-participant-count>{most}</max-participant-count><cp:ruleset><cp:rule id="members"><cp:conditions><is-list-member/></cp:conditions>
<cp:actions><join-handling>true</join-handling></cp:actions></cp:rule></cp:ruleset></list-service></group>"""


class Groups:
    """Groups "gSIZE_0", "gSIZE_1", … of one size: sender k and, after `first`, members from number k * SIZE on."""

    def __init__(self, size, count, first, receivers):
        self.size, self.count = size, count
        self.members = {}
        for k in range(count):
            begin = (k * size) % (receivers - (size - 1) + 1)
            self.members[f"g{size}_{k}"] = [k] + [first + begin + i for i in range(size - 1)]

    def documents(self):
        for name, members in self.members.items():
            entries = "".join(f'<entry uri="sip:u{member}@{DOMAIN}"/>' for member in members)
            body = GROUP.format(name=name, entries=entries, most=len(members))
            document = f"org.openmobilealliance.groups/users/sip:u{members[0]}@{DOMAIN}/{name}"
            yield json.dumps({"document": document, "body": body}).encode() + b"\n"

    def rows(self):
        rooms = "".join(f"INSERT INTO imc_rooms (name, domain, flag) VALUES ('{name}', '{DOMAIN}', 0);\n"
                        for name in self.members)
        members = [f"('u{m}', '{DOMAIN}', 'sip:{name}@{DOMAIN}', {1 if m == all_members[0] else 0})"
                   for name, all_members in self.members.items() for m in all_members]
        return rooms + f"INSERT INTO imc_members (username, domain, room, flag) VALUES {', '.join(members)};\n"


# --- im-glue --------------------------------------------------------------------------------------------------------

class Glue(bench_servers.Ready):
    """Believes P-Asserted-Identity from loopback, as behind a SIP core; who asserts nobody is asked for a password."""

    def __init__(self, bench, data, settings=()):
        options = [part for setting in ("identity.trusted-peers=127.0.0.0/8",) + tuple(settings)
                   for part in ("--set", setting)]
        super().__init__(bench, "im-glue", [bench.program("im-glue"), "--data", data, "--schemas", "schemas",
                                            "--sip", "127.0.0.1:0", *options], first="sip")


def glue(bench, users, groups):
    """im-glue; xdms has ended, so that it takes nothing from either server."""
    data = bench.path("xdms-data", "")
    xdms = bench_servers.xdms(bench, 0)
    lines = [b"name,password\n"] + [f"u{n},u{n}\n".encode() for n in range(users)]
    bring_in(bench, xdms, lines)
    bring_in(bench, xdms, [line for one in groups for line in one.documents()])
    xdms.stop()
    return Glue(bench, data)


def bring_in(bench, xdms, lines):
    done = subprocess.run([bench.program("xdmctl"), "--admin", f"127.0.0.1:{xdms.ports['admin']}", "import", "-"],
                          input=b"".join(lines), capture_output=True, timeout=300)
    if done.returncode != 0:
        raise RuntimeError((done.stdout + done.stderr).decode()[-1000:])


# --- Kamailio -------------------------------------------------------------------------------------------------------

# Bindings are in memory alone, and passwords follow from names: no query of the database but those of msilo. What msilo
# and imc send comes in again, to be sent to the contacts of its user. Who asserts an identity is not challenged.
CONFIG = """
debug=-1
log_stderror=yes
fork=yes
children={children}
tcp_children={children}
tcp_max_connections=4096
tcp_connection_lifetime=3600
auto_aliases=no
alias="{domain}"
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
mpath="{modules}"
loadmodule "db_postgres.so"
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "imc.so"
loadmodule "msilo.so"
modparam("auth", "nonce_expire", 3600)
modparam("auth", "qop", "auth")
modparam("usrloc", "db_mode", 0)
modparam("imc", "db_url", "{database}")
modparam("imc", "outbound_proxy", "sip:127.0.0.1:{port}")
modparam("msilo", "db_url", "{database}")
modparam("msilo", "outbound_proxy", "sip:127.0.0.1:{port}")
modparam("msilo", "from_address", "sip:registrar@{domain}")
request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("{domain}", "$au", "0")) {{
            www_challenge("{domain}", "1");
            exit;
        }}
        save("location");
        m_dump();
        exit;
    }}
    if (!is_method("MESSAGE")) {{
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }}
    if ($sp != {port} && !is_present_hf("P-Asserted-Identity")) {{
        if (!pv_proxy_authenticate("{domain}", "$au", "0")) {{
            proxy_challenge("{domain}", "1");
            exit;
        }}
        consume_credentials();
    }}
    if ($rU =~ "^g") {{
        if (!t_newtran()) exit;
        if (imc_manager()) t_reply("200", "OK");
        else t_reply("500", "Command Error");
        exit;
    }}
    if (!lookup("location")) {{
        if (!t_newtran()) exit;
        if (m_store()) t_reply("202", "Accepted");
        else t_reply("503", "Service Unavailable");
        exit;
    }}
    t_relay();
}}
"""


class Kamailio(bench_servers.Server):
    """Its processes, and so its CPU time, include those of its database."""

    def __init__(self, bench, command, database):
        super().__init__(bench, "kamailio", command, stdout=subprocess.DEVNULL)
        self.database = database

    def pids(self):
        return super().pids() + self.database.pids()


def kamailio(bench, groups):
    database, url = start_postgres(bench, "".join(one.rows() for one in groups))
    port, path = bench_servers.free_port(), bench.path("kamailio", "kamailio.cfg")
    with open(path, "w") as file:
        file.write(CONFIG.format(port=port, database=url, modules=MODULES, domain=DOMAIN, children=os.cpu_count()))
    server = Kamailio(bench, [
        shutil.which("kamailio") or "/usr/sbin/kamailio", "-DD", "-E", "-f", path, "-Y", bench.path("kamailio", ""), "-P",
        bench.path("kamailio", "pid"), "-m", "1024", "-M", "16"], database)
    server.port = port
    bench_servers.wait_for_port(port, server.process, "kamailio")
    time.sleep(1)  # its workers read the rooms
    return server


def start_postgres(bench, rows):
    """Its standard settings, so that every commit is durable (synchronous_commit=on). The server, and how to reach it."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    folder, port = bench.path("postgres", ""), bench_servers.free_port()
    as_other = []
    if os.geteuid() == 0:  # it refuses to run as root
        as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        os.chmod(bench.folder, 0o755)
        shutil.chown(folder, "postgres", "postgres")
    subprocess.run([*as_other, f"{programs}/initdb", "-D", f"{folder}data", "-A", "trust", "-U", "kamailio", "-E", "UTF8",
                    "--no-locale"], check=True, capture_output=True, timeout=300)
    server = bench_servers.Server(bench, "postgres", [
        *as_other, f"{programs}/postgres", "-D", f"{folder}data", "-p", str(port), "-k", folder, "-h", "127.0.0.1"])
    bench_servers.wait_for_port(port, server.process, "postgres")
    tables = "".join(open(os.path.join(TABLES, f"{name}-create.sql")).read() for name in ("standard", "imc", "msilo"))
    psql = [f"{programs}/psql", "-h", "127.0.0.1", "-p", str(port), "-U", "kamailio", "-q", "-v", "ON_ERROR_STOP=1"]
    for _ in range(100):  # it listens before it takes anybody
        create = [*psql, "-d", "postgres", "-c", "CREATE DATABASE kamailio"]
        if subprocess.run(create, capture_output=True, timeout=60).returncode == 0:
            break
        time.sleep(0.2)
    done = subprocess.run([*psql, "-d", "kamailio"], input=tables + rows, text=True, capture_output=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"postgres: {done.stderr}")
    return server, f"postgres://kamailio:kamailio@127.0.0.1:{port}/kamailio"

