"""Searches among many profiles: by index, by reading everything, beside what the store alone needs for the same look-up and
documents, and beside PostgreSQL's xpath() with indexes on expressions. 50,000 profiles; --long: a million."""
import json
import os
import random
import re
import shutil
import subprocess
import time

PROFILES, LONG, QUICK = 50_000, 1_000_000, 2_000
RUN_SECONDS_MAX = 7200
KINDS = {"equality": "equal to", "prefix": "begins with", "part": "contains", "two": "two conditions", "none": "nothing there"}
SCRIPTS = 60  # different queries of a kind; pgbench takes them in turn
POSTGRES = "/usr/lib/postgresql/15/bin"
UP = "ARRAY[ARRAY['up','urn:oma:xml:xdm:user-profile']]"


def measure(bench, number, profiles, copy):
    folder = bench.path("search", str(number), "data")
    done = subprocess.run([bench.program("search_speed"), str(profiles), folder, str(bench.seconds / 3)] +
                          ([copy] if copy else []), capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    shutil.rmtree(os.path.dirname(folder), ignore_errors=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-1000:])
    return json.loads(done.stdout)


def sample(bench, figures):
    for kind, words in KINDS.items():
        for how, who in (("bare", "store alone"), ("indexed", "xdms"), ("scanned", "no index")):
            if f"{kind}_{how}_per_second" in figures:
                bench.sample(words, who, {"per_second": figures[f"{kind}_{how}_per_second"],
                                          "p99_us": figures[f"{kind}_{how}_p99_us"],
                                          "results": figures[f"{kind}_{how}_results"]})
    bench.sample("building the indexes", "xdms", {"s": figures["build_s"]})
    bench.sample("size", "xdms", {"documents_mb": figures["documents_mb"], "index_mb": figures["index_mb"]})


class Postgres:
    """A server of its own in the scratch folder, as a user who is not root."""

    def __init__(self, bench):
        self.folder = bench.path("postgres", "")
        self.user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
        if self.user:
            subprocess.run(["chown", "-R", "nobody:nogroup", self.folder], check=True)
            os.chmod(os.path.dirname(os.path.dirname(self.folder)), 0o755)
        self.run("initdb", "-D", self.folder + "db", "-A", "trust", "-U", "bench", "--no-sync")
        self.server = subprocess.Popen([*self.user, POSTGRES + "/postgres", "-D", self.folder + "db", "-k", self.folder,
                                        "-c", "listen_addresses=", "-c", "shared_buffers=512MB", "-c", "jit=off",
                                        "-c", "max_parallel_workers_per_gather=0", "-c", "maintenance_work_mem=256MB"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        bench.at_end(self.stop)
        for _ in range(300):
            if subprocess.run([*self.user, POSTGRES + "/pg_isready", "-h", self.folder], capture_output=True,
                              check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("PostgreSQL does not start")

    def run(self, program, *arguments, text=None):
        done = subprocess.run([*self.user, f"{POSTGRES}/{program}", *arguments], input=text, capture_output=True, text=True,
                              timeout=RUN_SECONDS_MAX, cwd=self.folder)
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {done.stderr[-1000:]}")
        return done.stdout

    def sql(self, text):
        return self.run("psql", "-h", self.folder, "-U", "bench", "-d", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1", text=text)

    def stop(self):
        self.server.terminate()
        self.server.wait(60)


PATHS = {"name": "up:display-name", "family": "up:name/up:family-name", "place": "up:address/up:locality"}


def functions():
    """pgbench takes what follows a colon for a variable, so no path may stand in a query."""
    return "".join(f"CREATE FUNCTION {name}(doc xml) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT (xpath("
                   f"'/up:user-profiles/up:user-profile/{path}/text()', doc, {UP}))[1]::text $$;\n"
                   for name, path in PATHS.items())


def conditions(kind, people):
    """As those of search_speed.c, of people who are there."""
    given, family, place = random.choice(people)
    return {"equality": f"name(doc) = '{given} {family}'",
            "prefix": f"lower(name(doc)) LIKE '{given.lower()} {family[:3].lower()}%'",
            "part": f"lower(name(doc)) LIKE '%{family[1:].lower()}%'",
            "two": f"place(doc) = '{place}' AND family(doc) = '{family}'",
            "none": f"name(doc) = 'Nobody {random.randrange(1000000)}'"}[kind]


def pgbench(bench, postgres, kind, people, number):
    folder = bench.path("postgres", f"{kind}-{number}", "")
    files = []
    for i in range(SCRIPTS):
        files += ["-f", f"{folder}{i}.sql"]
        with open(f"{folder}{i}.sql", "w", encoding="utf-8") as file:
            file.write(f"SELECT doc FROM profiles WHERE {conditions(kind, people)} LIMIT 20;\n")
    subprocess.run(["chmod", "-R", "a+rwX", folder], check=True)
    said = postgres.run("pgbench", "-h", postgres.folder, "-U", "bench", "-n", "-M", "prepared", "-c", "1", "-T",
                        str(max(1, round(bench.seconds / 3))), "-l", "--log-prefix", f"{folder}log", *files, "postgres")
    latencies = sorted(int(line.split()[2]) for name in os.listdir(folder) if name.startswith("log")
                       for line in open(folder + name, encoding="ascii"))
    return {"per_second": float(re.search(r"tps = ([\d.]+)", said).group(1)),
            "p99_us": latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)]}


def compare_with_postgres(bench, copy):
    people = [re.search("<given-name>(.*?)</given-name><family-name>(.*?)</family-name>.*<locality>(.*?)</locality>",
                        line).groups() for i, line in enumerate(open(copy, encoding="utf-8")) if i % 7 == 0]
    postgres = Postgres(bench)
    os.chmod(copy, 0o644)
    postgres.sql(functions() + "CREATE TABLE profiles (id serial PRIMARY KEY, doc xml);\n"
                 f"\\copy profiles (doc) FROM '{copy}'\nVACUUM ANALYZE profiles;")
    begin = time.monotonic()
    postgres.sql(f"SELECT count(*) FROM profiles WHERE {conditions('equality', people)};")
    bench.sample(KINDS["equality"], "PG no index", {"per_second": 1 / (time.monotonic() - begin)})
    begin = time.monotonic()
    postgres.sql(f"CREATE INDEX ON profiles (name(doc));\nCREATE INDEX ON profiles (lower(name(doc)) text_pattern_ops);\n"
                 f"CREATE INDEX ON profiles (family(doc));\nCREATE INDEX ON profiles (place(doc));\nANALYZE profiles;")
    bench.sample("building the indexes", "PG", {"s": time.monotonic() - begin})
    table, indexes = postgres.sql("SELECT pg_table_size('profiles'); SELECT pg_indexes_size('profiles');").split()
    bench.sample("size", "PG", {"documents_mb": int(table) / 1e6, "index_mb": int(indexes) / 1e6})
    for number in range(bench.rounds):
        for kind in ("equality", "prefix", "two", "none"):
            bench.sample(KINDS[kind], "PG xpath", pgbench(bench, postgres, kind, people, number))


def run(bench):
    profiles = QUICK if bench.quick else LONG if bench.long else PROFILES
    copy = None if bench.quick else bench.path("profiles.tsv")
    for number in range(1 if bench.long else bench.rounds):
        sample(bench, measure(bench, number, profiles, copy if number == 0 else None))
    if copy:
        compare_with_postgres(bench, copy)
    for kind in ("equality", "prefix", "two"):
        bench.goal(f"{KINDS[kind]}: by index to reading everything", bench.ratio(KINDS[kind], "xdms", "no index"), least=100)
    bench.goal("equal to: by index to the bare look-up and reading of its results",
               bench.ratio(KINDS["equality"], "xdms", "store alone"), least=1 / 3)
    for who in ("xdms", "PG"):
        size = {name: bench.median("size", who, name) for name in ("documents_mb", "index_mb")}
        if all(size.values()):
            bench.note(f"{who}: indexes built in {bench.median('building the indexes', who, 's'):.0f} s, "
                       f"{size['index_mb']:.0f} MB beside {size['documents_mb']:.0f} MB of documents.")
    bench.note(f"{profiles:,} profiles, one thread, at most 20 results. PostgreSQL: xml column, indexes on "
               "functions of (xpath(…))[1]::text, prepared queries by pgbench over a Unix socket; it has no index for 'contains'.")
