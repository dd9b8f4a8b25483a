"""An engine of containers, where one answers, and an image of the machine's own busybox: no registry is asked."""

import contextlib
import gc
import io
import os
import shutil
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import DockerException

COMMANDS = ("cat", "dd", "echo", "grep", "mkdir", "rm", "sh", "sleep", "true")
REPOSITORY = "edge-dispatcher-tests"


def root_file_system() -> bytes:
    """An archive with busybox and links to it. Raises FileNotFoundError when this machine has none."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("no busybox on the PATH (.ci/run installs busybox-static)")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        directory, program = tarfile.TarInfo("bin"), tarfile.TarInfo("bin/busybox")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(directory)
        program.mode, data = 0o755, Path(busybox).read_bytes()
        program.size = len(data)
        archive.addfile(program, io.BytesIO(data))
        for name in COMMANDS:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return packed.getvalue()


@contextlib.contextmanager
def image(client: "docker.DockerClient") -> Iterator[str]:
    """Yields its name; of this process, and gone with it."""
    name = f"{REPOSITORY}:{os.getpid()}"
    repository, tag = name.split(":")
    client.api.import_image_from_data(root_file_system(), repository=repository, tag=tag)
    try:
        yield name
    finally:
        client.images.remove(name, force=True)


def working() -> bool:
    """Whether an engine at DOCKER_HOST, or at the usual socket, runs a container of that image."""
    if not ("DOCKER_HOST" in os.environ or Path("/var/run/docker.sock").exists()):
        return False
    works = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the library leaves its socket open when nobody answers
        with contextlib.suppress(DockerException, OSError):
            with contextlib.closing(docker.from_env(timeout=20)) as client, image(client) as name:
                client.containers.run(name, ["true"], network_mode="none", remove=True)
            works = True
        gc.collect()
    return works
