"""The whole configuration."""

from pydantic import Field, field_validator

from dispatcher.settings import outputs, sections
from dispatcher.settings.cloudai import CloudAI
from dispatcher.settings.cluster import Cluster
from dispatcher.settings.farm import Farm
from dispatcher.settings.sections import Section


class Settings(Section):
    """All but the secrets. One attribute per section of the file; durations in milliseconds, sizes in bytes."""

    vars: dict[str, str | int | float | bool] = Field(default_factory=dict)
    server: sections.Server = sections.Server()
    auth: sections.Auth = sections.Auth()
    balancer: sections.Balancer = sections.Balancer()
    limits: sections.Limits = sections.Limits()
    dispatch: sections.Dispatch = sections.Dispatch()
    servers: sections.Servers = sections.Servers()
    queue: sections.Queue = sections.Queue()
    retention: sections.Retention = sections.Retention()
    logs: outputs.Logs = outputs.Logs()
    files: outputs.Files = outputs.Files()
    store: sections.Store = sections.Store()
    jobs: sections.Jobs = sections.Jobs()
    farm: Farm = Farm()
    cloudai: CloudAI = CloudAI()
    cluster: Cluster = Cluster()
    urls: sections.Urls = sections.Urls()
    log: sections.Log = sections.Log()
    triggers: sections.Triggers = sections.Triggers()
    redis_namespaces: tuple[sections.RedisNamespace, ...] = Field(
        (sections.RedisNamespace(),), min_length=1, max_length=1
    )
    listeners: tuple[sections.Listener, ...] = ()

    @field_validator("listeners")
    @classmethod
    def _distinct_ports(cls, listeners: tuple[sections.Listener, ...]) -> tuple[sections.Listener, ...]:
        ports = [one.port for one in listeners]
        if len(set(ports)) != len(ports):
            raise ValueError("two listeners name the same port")
        return listeners

    @property
    def namespace(self) -> str:
        return self.redis_namespaces[0].id
