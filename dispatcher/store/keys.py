"""The keys of one namespace. All share the hash tag `{<namespace>}:`, so a namespace lives on one node of a Cluster.

The scripts receive only that root and derive every key from it; this table names each shape once, for the
documentation, and a test holds the scripts to it.
"""

KEYS: dict[str, str] = {
    "t:<task>": "hash: the task's fields",
    "in:<task>": "string: payload, the raw JSON as it came",
    "spec:<task>": "string: JSON that belongs to the dialect",
    "out:<task>": "string: result, the raw JSON as it came",
    "att:<task>": "list: the last attempts, newest first, tab-separated",
    "ev:<task>": "stream: the task's last updates, entry id = revision",
    "mt:<task>": "list: the last reports with metrics, oldest first, tab-separated: ms, rank, percent, JSON",
    "log:<task>": "stream: the lines that its attempts wrote, entry id = number of the line",
    "logh:<task>": "hash: last line, lines and bytes kept, own<rank> attempt and number of its next line",
    "file:<file>": "hash: a file of a task",
    "tf:<task>": "hash: path -> file",
    "tfb:<task>": "string: bytes of the task's files",
    "fo:<origin>": "sorted set: files by creation",
    "fo:<origin>:<tenant>:<sub>": "sorted set: an owner's files by creation",
    "fof:<facet>:<origin>": "sorted set: files by creation, of the tasks with a facet",
    "fof:<facet>:<origin>:<tenant>:<sub>": "sorted set: an owner's files by creation, of the tasks with a facet",
    "file_use": "hash: tenant -> bytes of its files",
    "file_gone": "set: removed tasks whose files are still to be removed",
    "orphans": "sorted set: blobs without a file, by the ms from which they are removed",
    "log_use": "hash: tenant -> bytes of its tasks' logs",
    "q:<lane>:<tenant>": "sorted set: a tenant's waiting tasks in a lane, by creation in us less its priority's boost",
    "lanes": "hash: lane -> what it demands (JSON)",
    "lane_live": "hash: lane -> live tasks",
    "lc:<lane>": "set: server classes that fit a lane",
    "lt:<lane>": "set: tenants that wait in a lane",
    "tl:<tenant>": "hash: lane -> live tasks of a tenant",
    "turn": "hash: lane -> turns given to balancers",
    "classes": "hash: server class -> what it offers (JSON)",
    "cl:<class>": "set: lanes that a class fits",
    "cs:<class>": "set: registered servers of a class",
    "cm:<class>": "set: its servers that are online and not in maintenance",
    "free:<class>": "sorted set: its servers with a free slot, by running attempts / weight",
    "ready:<class>": "sorted set: tenants that wait for this class, by a lower bound of their virtual time",
    "rl:<class>:<tenant>": "sorted set: the tenant's lanes, by a lower bound of their head's score",
    "vt": "sorted set: tenant -> virtual time (start-time fair queueing)",
    "vclock": "string: virtual time of the namespace",
    "s:<server>": "hash: the server's fields",
    "slots:<server>": "sorted set: task:fence:rank that the server holds, by the lease's end",
    "want:<class>": "sorted set: workers of a class that wait for work on a connection, by the ms they began to",
    "gathering": "string: the gang for which such workers are held",
    "ranks:<task>": "hash: of a gang: who has which rank, how far it is, its checkpoint, its end, what rank 0 brought",
    "held:<server>": "hash: what running attempts (as in slots) and models (m:<model>) take of it -> five amounts",
    "loads:<server>": "hash: attempt (as in slots) -> the model that it works with, and loads if need be",
    "acc:<server>": "hash: accepted (202) attempts -> heartbeats in a row that did not list it",
    "servers": "sorted set: server ids by registration sequence",
    "cmd:<command>": "hash: a command to a worker, until a day after its deadline",
    "cmds:<server>": "sorted set: commands that it has not acknowledged, in their order",
    "pl:<server>": "hash: model -> where it stands there (JSON)",
    "plused:<server>": "hash: model -> ms of the last task that started there with it",
    "model:<model>": "hash: takes and load_ms, as it was loaded last",
    "warm:<model>": "sorted set: servers that have it in memory (0), or to which it is assigned (1)",
    "op:<operation>": "hash: an operation on the fleet, its steps (JSON), st:<place> and er:<place> how far each is",
    "ops": "sorted set: the newest operations, in their order",
    "oplive": "sorted set: running operations, by the ms the lease of the gateway that drives them ends",
    "opguard": "hash: what only one running operation may work on -> that operation",
    "alias:<dialect>:<external id>": "string: core id",
    "up:<server>:<day>": "bitmap: minutes of the UTC day with a sign of life",
    "due": "sorted set: every timer, by the ms it is due: l lease, x attempt time-out, d deadline, r retry, s runAt, "
    "n others for a declined task, k lease of a further rank, o slot left behind, b batch, hb heartbeat, "
    "f end of rest or ejection",
    "keep": "sorted set: ended tasks, by the ms they are removed",
    "reg": "hash: epoch, matching, seq, commands, operations, placements, algorithm, floor",
    "reglog": "sorted set: server -> epoch of its last change",
    "ix:<origin>:<state>": "sorted set: tasks by creation",
    "ix:<origin>:<tenant>:<sub>:<state>": "sorted set: an owner's tasks by creation",
    "fx:<facet>:<origin>:<state>": "sorted set: the same, of the tasks with a facet",
    "fx:<facet>:<origin>:<tenant>:<sub>:<state>": "sorted set: an owner's tasks with a facet",
    "batch:<batch>": "hash: many tasks that become valid together: until, then how far they are in the queue",
    "items:<batch>": "hash: place in the batch -> a staged task",
    "live": "hash: live tasks and payload bytes, in all and per tenant",
    "budget": "hash: retry budget",
    "claim:<claim>": "hash: grant given instead of a claimed task, a minute",
    "idem:<origin>:<tenant>:<sub>:<key>": "hash: task and digest of an Idempotency-Key, a day",
    "rl:<rule>:<principal>:<window>": "string: calls in a fixed minute or hour, by its end",
    "seats:<principal>": "sorted set: sockets that are counted over all gateways, by the ms they are given up",
    "apikeys": "hash: an API key's id -> whose it is, and the SHA-256 of its secret (JSON)",
    "st:<scope>:<day>": "hash: hour:counter of a UTC day; scope o:<origin>, p:<origin>:<tenant>:<sub>, s:<server>",
    "busy:<day>": "sorted set: servers by tasks that ended on them as completed or failed",
    "mn:<origin>:<hour>": "hash: minute:counter of an hour (hours since 1970), 48 hours",
    "sum:<scope>": "hash: the same counters since ever",
    "tele:<server>": "stream: what it said of its load, entry id = ms; u cpu,memory,gpu,storage, g the GPUs (JSON)",
    "use:m:<hour>": "hash: minute:measure (the fleet's percentages summed, in hundredths), minute:measure_n; 48 hours",
    "use:h:<day>": "hash: the same by the hours of a day",
    "ev": "stream: the fleet's events",
    "gw": "sorted set: living gateways, by the ms their presence ends",
    "inbox:<gateway>": "stream: messages to a gateway",
    "last_tick": "string: ms of the last tick",
    "graced": "hash: server:task:fence:rank -> the lease's end that an outage gave it",
    "no_reap_until": "string: ms until which no lease is reaped after an outage",
}


def root(namespace: str) -> str:
    """The prefix of every key of a namespace."""
    return "{" + namespace + "}:"


def to_markdown() -> str:
    """The table for the documentation."""
    rows = [f"| `{{<namespace>}}:{shape}` | {meaning} |" for shape, meaning in KEYS.items()]
    return "\n".join(["| key | holds |", "|---|---|", *rows]) + "\n"
