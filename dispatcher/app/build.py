"""settings -> store -> services -> dialects -> one ASGI application, and the duties behind it."""

import random
import secrets as entropy
from importlib.metadata import PackageNotFoundError, version

from dispatcher.app import options
from dispatcher.app.dialects import cloudai_doors, cluster_doors, farm_doors, jobs_doors, native_door
from dispatcher.app.gateway import Draining, Gateway
from dispatcher.app.stores import configured_blobs, places_apart
from dispatcher.auth.apikeys import ApiKeys
from dispatcher.auth.callback import CallbackTokens
from dispatcher.auth.keys import SecretKeys
from dispatcher.auth.sealer import Sealer
from dispatcher.auth.tokens import Tokens
from dispatcher.dialects.dialect import Dialect
from dispatcher.domain.clock import Clock, SystemClock
from dispatcher.domain.principal import Principal, Role
from dispatcher.domain.server import Server
from dispatcher.forward import HttpForwarder, UrlPolicy, transport_named
from dispatcher.loops.events import Events
from dispatcher.loops.inbox import Inbox
from dispatcher.loops.peek import Peek
from dispatcher.loops.presence import Presence
from dispatcher.loops.renew import Renew
from dispatcher.loops.runner import Loop, Runner
from dispatcher.loops.tick import Tick
from dispatcher.service.balancing import Balancing
from dispatcher.service.batches import Batches
from dispatcher.service.commands import Commands
from dispatcher.service.dispatch import Dispatch
from dispatcher.service.duties import Duties
from dispatcher.service.feed import Feed
from dispatcher.service.files import Files
from dispatcher.service.latencies import Latencies
from dispatcher.service.logs import Logs
from dispatcher.service.operations import Operations
from dispatcher.service.placements import Placements
from dispatcher.service.servers import Servers
from dispatcher.service.services import Services
from dispatcher.service.sessions import Sessions
from dispatcher.service.stats import Stats
from dispatcher.service.steps import Steps
from dispatcher.service.submit import Submit
from dispatcher.service.tails import Tails
from dispatcher.service.tasks import Tasks
from dispatcher.service.telemetry import Telemetry
from dispatcher.service.waits import Waits
from dispatcher.service.watch import Watch
from dispatcher.service.workers import Workers
from dispatcher.settings import Secrets, Settings
from dispatcher.store import Store
from dispatcher.web.gateway import gateway as web_gateway
from dispatcher.web.health import Health

AGAIN_S = 0.5  # until a stream that broke is begun again


def build(
    settings: Settings,
    secrets: Secrets,
    store: Store,
    *,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    gateway_id: str | None = None,
) -> Gateway:
    """Put a gateway together; nothing runs yet and nothing is sent. Raises ValueError for a weak secret, OSError for
    a CA file that cannot be read, SettingsError for a place of files that is none."""
    clock = clock or SystemClock()
    rng = rng or random.Random()  # noqa: S311 - balancing and jitter
    name = gateway_id or f"gw_{entropy.token_hex(8)}"
    tokens = make_tokens(settings, secrets, clock)
    callbacks = CallbackTokens(secrets.signing)
    sealer = Sealer([*secrets.sealing, *secrets.signing])  # the latter open what was sealed before there was a key
    policy = options.url_policy(settings)
    forwarder = _forwarder(settings, policy, sealer, callbacks, clock)
    waits = Waits()
    dispatch = Dispatch(
        store.tasks,
        store.servers,
        forwarder,
        waits,
        Latencies(),
        clock=clock,
        rng=rng,
        gateway=name,
        options=options.dispatch_options(settings),
    )
    services = _services(settings, store, forwarder, waits, dispatch, name, clock)
    also = [services.operations.run_once]
    duties = Duties(store.tasks, services.servers, dispatch, gateway=name, clock=clock, also=also, files=services.files)
    presence = Presence(store.coordination, store.servers, gateway=name)
    draining = Draining()
    health = Health(store.coordination, clock, gateway=name, version=our_version(), draining=draining)

    def server_token(server: Server, caller: Principal) -> str:
        return tokens.issue(
            server.id,
            [Role.SERVER],
            settings.auth.server_token_ttl // 1000,
            caller.owner.tenant,
            server.id,
            door=server.offer.only,
            registration=server.seq,
        )

    native = native_door(
        settings,
        services,
        tokens,
        callbacks,
        clock,
        duties=duties,
        health=health,
        policy=policy,
        sealer=sealer,
        issue_server_token=server_token,
        version=our_version(),
    )
    gateway = Gateway(
        id=name,
        settings=settings,
        services=services,
        dispatch=dispatch,
        waits=waits,
        duties=duties,
        presence=presence,
        draining=draining,
        closing=(forwarder.aclose, store.close),
        seal_key=sealer.seal,
    )
    gateway.runner = Runner(_loops(gateway, store, waits), rng=rng)
    dialects = {
        (native.name, "required"): native,
        **jobs_doors(settings, services, tokens, callbacks, health),
        **farm_doors(settings, services, tokens, callbacks, clock),
        **cloudai_doors(settings, services, tokens, callbacks, clock, health=health, issue_server_token=server_token),
        **cluster_doors(settings, services, tokens, callbacks, ApiKeys(store.keys, clock), health, clock),
    }
    _mount(gateway, dialects, clock)
    return gateway


def _forwarder(
    settings: Settings, policy: UrlPolicy, sealer: Sealer, callbacks: CallbackTokens, clock: Clock
) -> HttpForwarder:
    transport = transport_named(
        settings.dispatch.http_client,
        policy,
        max_connections=2 * settings.dispatch.max_calls,  # a pool that is never full cannot leak its places
        ca_file=settings.urls.ca_file or None,
    )
    return HttpForwarder(
        transport,
        open_key=sealer.open,
        callback_token=callbacks.make,
        callback_url=options.callback_url(settings),
        result_max_bytes=settings.urls.max_response,
        clock=clock,
    )


def _services(
    settings: Settings,
    store: Store,
    forwarder: HttpForwarder,
    waits: Waits,
    dispatch: Dispatch,
    name: str,
    clock: Clock,
) -> Services:
    tasks = Tasks(store.tasks, store.servers, forwarder, waits, dispatch, gateway=name, clock=clock)
    workers = Workers(store.tasks, store.servers, gateway=name, clock=clock)
    commands = Commands(store.commands)
    steps = Steps(store.servers, store.placements, commands)
    operations = Operations(store.operations, store.servers, commands, steps, gateway=name)
    return Services(
        submit=Submit(store.tasks, dispatch, waits, gateway=name, clock=clock),
        batches=Batches(store.batches, dispatch),
        tasks=tasks,
        logs=Logs(store.logs, tasks, Tails(store.logs, held=settings.logs.behind)),
        files=Files(store.files, configured_blobs(settings), tasks, apart=places_apart(settings)),
        servers=Servers(store.servers, store.stats, forwarder),
        stats=Stats(store.stats, store.servers, clock=clock),
        balancing=Balancing(store.servers),
        watch=Watch(store.tasks),
        feed=Feed(),
        workers=workers,
        sessions=Sessions(store.tasks, store.servers, workers, dispatch, gateway=name),
        telemetry=Telemetry(store.telemetry, store.servers, store.tasks, clock=clock),
        commands=commands,
        operations=operations,
        placements=Placements(store.placements, store.servers, operations),
        coordination=store.coordination,
    )


def make_tokens(settings: Settings, secrets: Secrets, clock: Clock | None = None) -> Tokens:
    """What issues and reads tokens. Raises ValueError for a weak secret, or none."""
    auth = settings.auth
    return Tokens(
        SecretKeys(secrets.signing),
        issuer=auth.issuer or None,
        audience=auth.audience or None,
        leeway_s=auth.leeway // 1000,
        clock=clock,
    )


def our_version() -> str:
    """Of the installed distribution."""
    try:
        return version("edge-dispatcher")
    except PackageNotFoundError:
        return "0"


def _loops(gateway: Gateway, store: Store, waits: Waits) -> list[Loop]:
    """The background duties, in the order of their start."""
    lease_ms = gateway.settings.dispatch.lease
    renew = Renew(store.tasks, gateway.dispatch, gateway=gateway.id, lease_ms=lease_ms)
    peek = Peek(gateway.duties)
    inbox = Inbox(store.coordination, waits, gateway=gateway.id, wake=peek.wake)
    services = gateway.services
    events = Events(
        store.coordination, services.watch, services.workers, services.sessions, services.commands, services.feed
    )
    loops = [
        Loop("renew", renew.run_once, lease_ms / 3000),
        Loop("presence", gateway.presence.run_once, 1.0),
        Loop("peek", peek.run_once, 0.0),
        Loop("inbox", inbox.run_once, AGAIN_S),
        Loop("events", events.run_once, AGAIN_S),
    ]
    if gateway.settings.triggers.background:
        loops.append(Loop("tick", Tick(gateway.duties).run_once, 1.0))
    return loops


def _mount(gateway: Gateway, dialects: dict[tuple[str, str], Dialect], clock: Clock) -> None:
    """`dialects` by name and by what they ask of callers."""
    settings = gateway.settings
    gateway.dialects = dialects
    main = [
        dialects["native", "required"],
        dialects["jobs", settings.jobs.auth],
        dialects["farm", settings.farm.auth],
        dialects["cloudai", settings.cloudai.auth],
        dialects["cluster", settings.cluster.auth],
    ]
    gateway.asgi = web_gateway(
        {dialect.prefix: dialect.mount() for dialect in main}, clock=clock, lifespan=gateway.lifespan
    )
    gateway.apps = [
        web_gateway({"": dialects[listener.dialect, listener.auth].mount()}, clock=clock)
        for listener in settings.listeners
    ]
