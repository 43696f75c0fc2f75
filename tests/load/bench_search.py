"""Searches among many profiles and groups: by index, by reading everything, beside what the store alone needs for the same
look-up and documents, and beside PostgreSQL's xpath() with indexes on expressions. A million profiles, 100,000 groups."""
import json
import os
import random
import re
import shutil
import subprocess
import time

import bench_run

PROFILES, QUICK = 1_000_000, 2_000
PEOPLE_PER_GROUP = 10  # profiles to one group
RUN_SECONDS_MAX = 7200
KINDS = {"equality": "equal to", "prefix": "begins with", "part": "contains", "two": "two conditions", "none": "nothing there",
         "member": "groups of a member"}
INDEXED = {"profiles": "indexes of profiles", "same": "of the same fields alone", "groups": "indexes of groups"}
SCRIPTS = 60  # different queries of a kind; pgbench takes them in turn
POSTGRES = "/usr/lib/postgresql/15/bin"
PROFILE = "ARRAY[ARRAY['up','urn:oma:xml:xdm:user-profile']]"
GROUP = "ARRAY[ARRAY['ls','urn:oma:xml:poc:list-service']]"


def schemas_of_the_same_fields(bench):
    """As those of the product, with indexes on what PostgreSQL has indexes on, and on nothing else of profiles."""
    schemas = bench.path("schemas")
    shutil.copytree(os.path.join(bench_run.SOURCE, "schemas"), schemas)
    manifest = os.path.join(schemas, "org.openmobilealliance.user-profile", "manifest.xml")
    text = open(manifest, encoding="utf-8").read()
    for path, index in re.findall(r'path="([^"]*)"(?: name="\w+")? index="([^"]*)"', text):
        kept = ' index="value"' if path in PATHS.values() else ""
        text = re.sub(f'(path="{path}"(?: name="\\w+")?) index="{index}"', r"\1" + kept, text)
    with open(manifest, "w", encoding="utf-8") as file:
        file.write(text)
    return schemas


def measure(bench, profiles, copies):
    folder = bench.path("search", "data")
    done = subprocess.run([bench.program("search_speed"), str(profiles), str(profiles // PEOPLE_PER_GROUP), folder,
                           str(bench.seconds / 3), str(bench.rounds), schemas_of_the_same_fields(bench), *copies], capture_output=True, text=True,
                          timeout=RUN_SECONDS_MAX)
    shutil.rmtree(os.path.dirname(folder), ignore_errors=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-1000:])
    return [json.loads(line) for line in done.stdout.splitlines()]


def sample(bench, figures):
    for kind, words in KINDS.items():
        for how, who in (("bare", "store alone"), ("indexed", "xdms"), ("scanned", "no index")):
            if f"{kind}_{how}_per_second" in figures:
                bench.sample(words, who, {name: figures[f"{kind}_{how}_{name}"] for name in ("per_second", "p99_us", "results")})
    for what, words in INDEXED.items():
        if f"{what}_build_s" in figures:
            bench.sample(words, "xdms", {name: figures[f"{what}_{name}"] for name in ("build_s", "index_mb", "documents_mb",
                                                                                     "entries")})


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

    def timed(self, text):
        begin = time.monotonic()
        said = self.sql(text)
        return time.monotonic() - begin, said

    def stop(self):
        self.server.terminate()
        self.server.wait(60)


PATHS = {"name": "up:display-name", "family": "up:name/up:family-name", "place": "up:address/up:locality"}
INDEXES = {"profiles": "CREATE INDEX ON profiles (name(doc)); CREATE INDEX ON profiles (lower(name(doc)) text_pattern_ops);"
                       "CREATE INDEX ON profiles (family(doc)); CREATE INDEX ON profiles (place(doc));",
           "groups": "CREATE INDEX ON groups USING gin (members(doc));"}


def functions():
    """pgbench takes what follows a colon for a variable, so no path may stand in a query."""
    profiles = (f"CREATE FUNCTION {name}(doc xml) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT (xpath("
                f"'/up:user-profiles/up:user-profile/{path}/text()', doc, {PROFILE}))[1]::text $$;\n"
                for name, path in PATHS.items())
    return "".join(profiles) + ("CREATE FUNCTION members(doc xml) RETURNS text[] IMMUTABLE LANGUAGE sql AS $$ SELECT xpath("
                                f"'/ls:group/ls:list-service/ls:list/ls:entry/@uri', doc, {GROUP})::text[] $$;\n")


def query(kind, people):
    """As those of search_speed.c, of people who are there."""
    address, given, family, place = random.choice(people)
    if kind == "member":
        scheme, rest = address.split(":")
        return f"SELECT doc FROM groups WHERE members(doc) @> ARRAY['{scheme}' || chr(58) || '{rest}'] LIMIT 20;"
    condition = {"equality": f"name(doc) = '{given} {family}'",
                 "prefix": f"lower(name(doc)) LIKE '{given.lower()} {family[:3].lower()}%'",
                 "two": f"place(doc) = '{place}' AND family(doc) = '{family}'",
                 "none": f"name(doc) = 'Nobody {random.randrange(1000000)}'"}[kind]
    return f"SELECT doc FROM profiles WHERE {condition} LIMIT 20;"


def pgbench(bench, postgres, kind, people, number):
    folder = bench.path("postgres", f"{kind}-{number}", "")
    files = []
    for i in range(SCRIPTS):
        files += ["-f", f"{folder}{i}.sql"]
        with open(f"{folder}{i}.sql", "w", encoding="utf-8") as file:
            file.write(query(kind, people) + "\n")
    subprocess.run(["chmod", "-R", "a+rwX", folder], check=True)
    said = postgres.run("pgbench", "-h", postgres.folder, "-U", "bench", "-n", "-M", "prepared", "-c", "1", "-T",
                        str(max(1, round(bench.seconds / 3))), "-l", "--log-prefix", f"{folder}log", *files, "postgres")
    latencies = sorted(int(line.split()[2]) for name in os.listdir(folder) if name.startswith("log")
                       for line in open(folder + name, encoding="ascii"))
    return {"per_second": float(re.search(r"tps = ([\d.]+)", said).group(1)),
            "p99_us": latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)]}


def people_of(copy):
    found = 'uri="(.*?)".*<given-name>(.*?)</given-name><family-name>(.*?)</family-name>.*<locality>(.*?)</locality>'
    return [re.search(found, line).groups() for i, line in enumerate(open(copy, encoding="utf-8")) if i % 97 == 0]


def compare_with_postgres(bench, copies):
    people = people_of(copies[0])
    postgres = Postgres(bench)
    for copy in copies:
        os.chmod(copy, 0o644)
    postgres.sql(functions() + "".join(
        f"CREATE TABLE {table} (id serial PRIMARY KEY, doc xml);\n\\copy {table} (doc) FROM '{copy}'\nVACUUM ANALYZE {table};\n"
        for table, copy in zip(INDEXES, copies)))
    for kind in ("equality", "member"):
        seconds, _ = postgres.timed(query(kind, people).replace("LIMIT 20", ""))
        bench.sample(KINDS[kind], "PG no index", {"per_second": 1 / seconds})
    for table, made in INDEXES.items():
        seconds, _ = postgres.timed(f"{made} ANALYZE {table};")
        size = [int(line) for line in postgres.sql(f"SELECT pg_indexes_size('{table}') - pg_relation_size('{table}_pkey');"
                                                   f"SELECT pg_table_size('{table}');").split()]
        bench.sample(INDEXED["same" if table == "profiles" else table], "PG xpath",
                     {"build_s": seconds, "index_mb": size[0] / 1e6, "documents_mb": size[1] / 1e6})
    for number in range(bench.rounds):
        for kind in ("equality", "prefix", "two", "none", "member"):
            bench.sample(KINDS[kind], "PG xpath", pgbench(bench, postgres, kind, people, number))


def run(bench):
    profiles = QUICK if bench.quick else PROFILES
    copies = [] if bench.quick else [bench.path("profiles.tsv"), bench.path("groups.tsv")]
    for figures in measure(bench, profiles, copies):
        sample(bench, figures)
    if copies:
        compare_with_postgres(bench, copies)
    for kind in ("equality", "prefix", "two", "member"):
        bench.goal(f"{KINDS[kind]}: by index to reading everything", bench.ratio(KINDS[kind], "xdms", "no index"), least=100)
    for kind in ("equality", "member"):
        bench.goal(f"{KINDS[kind]}: by index to the bare look-up and reading of its results",
                   bench.ratio(KINDS[kind], "xdms", "store alone"), least=1 / 3)
    for words in INDEXED.values():
        for who in ("xdms", "PG xpath"):
            if bench.median(words, who, "build_s"):
                bench.note(f"{words}, {who}: {bench.median(words, who, 'build_s'):.1f} s, "
                           f"{bench.median(words, who, 'index_mb'):.0f} MB beside {bench.median(words, who, 'documents_mb'):.0f} "
                           "MB of documents.")
    bench.note(f"{profiles:,} profiles, {profiles // PEOPLE_PER_GROUP:,} groups of 10 members, one thread, at most 20 results. "
               "PostgreSQL: xml columns, indexes on functions of xpath() (four on profiles, GIN on members), prepared queries by "
               "pgbench over a Unix socket; it has no index for 'contains'. xdms has those (equal to and begins with share one), "
               "and of profiles indexes of addresses, given names and parts of words.")
