"""URLs that must never lead to a connection under a policy for public addresses."""

import ipaddress

# What an attacker wants to reach.
TARGETS = ("127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "100.100.100.200", "0.0.0.0")  # noqa: S104


def spellings(text: str) -> list[str]:
    """An IPv4 address in the forms that some parser or some network understands."""
    a = ipaddress.IPv4Address(text)
    n, (b0, b1, b2, b3) = int(a), a.packed
    high, low = n >> 16, n & 0xFFFF
    flipped = n ^ 0xFFFFFFFF
    return [
        text,
        str(n),
        hex(n),
        f"{n:#o}".replace("0o", "0"),
        f"{b0:#x}.{b1:#x}.{b2:#x}.{b3:#x}",
        f"0{b0:o}.0{b1:o}.0{b2:o}.0{b3:o}",
        f"{b0}.{b1}.{b2 << 8 | b3}",
        f"{b0}.{b1 << 16 | b2 << 8 | b3}",
        f"00{b0}.{b1}.{b2}.{b3}",
        f"{text}.",
        f"[::ffff:{text}]",
        f"[::ffff:{high:x}:{low:x}]",
        f"[::{high:x}:{low:x}]",
        f"[::ffff:0:{high:x}:{low:x}]",
        f"[64:ff9b::{high:x}:{low:x}]",
        f"[2002:{high:x}:{low:x}::1]",
        f"[2001:0:808:808::{flipped >> 16:x}:{flipped & 0xFFFF:x}]",
        f"[2001:0:{high:x}:{low:x}::f7f7:f7f7]",
        f"[2606:4700::5efe:{high:x}:{low:x}]",
    ]


HOSTS = [spelling for target in TARGETS for spelling in spellings(target)] + [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "api.localhost",
    "metadata.google.internal",
    "metadata",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::1%25lo]",
    "[fe80::1]",
    "[fe80::1%lo]",
    "[fec0::1]",
    "[ff02::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[fc00::1]",
    "[64:ff9b:1::1]",
    "[4000::1]",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.0.192",
    "168.63.129.16",
    "127.0.0.1。",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "ⓛocalhost",
    "loc\u017falhost",
    "%6c%6f%63alhost",
    "127.0.0.1%00.example",
    "127.0.0.1%2eexample",
    "user@127.0.0.1",
    "user:pw@127.0.0.1",
    "example.com@127.0.0.1",
    "example.com\\@127.0.0.1",
    "127.0.0.1\\.example.com",
    "127.0.0.1#@example.com",
    "127.0.0.1\t",
    "127.0.0.1\r\nX-Header: 1",
    "127.0.0.1\x00",
    " 127.0.0.1",
    "-example.com",
    "exam ple.com",
    "a..example",
    "",
    "[127.0.0.1]",
    "[::1",
    "::1",
]

URLS = [f"http://{host}:{{port}}/x" for host in HOSTS] + [
    *(f"{scheme}://127.0.0.1:{{port}}/x" for scheme in ("file", "ftp", "gopher", "unix", "jar", "ws", "dict", "ldap")),
    "data:text/plain,x",
    "file:///etc/passwd",
    "//127.0.0.1:{port}/x",
    "http:127.0.0.1:{port}/x",
    "http:/127.0.0.1:{port}/x",
    "http:///127.0.0.1:{port}/x",
    "http:\\\\127.0.0.1:{port}\\x",
    "hTTp://127.0.0.1:{port}/x",
    "\thttp://127.0.0.1:{port}/x",
    "http://127.0.0.1:{port}/x\r\nHost: example.com",
    "http://127.0.0.1:{port}/ä",
    "http://127.0.0.1:{port}/x#fragment",
    "http://127.0.0.1:{port}/" + "x" * 2048,
    "http://127.0.0.1:0/x",
    "http://127.0.0.1:65536/x",
    "http://127.0.0.1:-1/x",
    "http://127.0.0.1:+80/x",
    "http://127.0.0.1:8_0/x",
    "http://127.0.0.1:٨٠/x",
    "http://93.184.216.34:22/x",
    "http://93.184.216.34:25/x",
    "http://93.184.216.34:6379/x",
]
