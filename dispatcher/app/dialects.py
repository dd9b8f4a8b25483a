"""The APIs: the native one, which wants tokens, and each of the others behind two doors, with tokens and without. Which
of these is reached is for the settings to say."""

from dataclasses import replace

from dispatcher.app import options
from dispatcher.auth.apikeys import ApiKeys
from dispatcher.auth.callback import CallbackTokens
from dispatcher.auth.sealer import Sealer
from dispatcher.auth.tokens import Tokens
from dispatcher.dialects.cloudai.cloudai import cloudai_dialect
from dispatcher.dialects.cluster.cluster import cluster_dialect
from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.farm.farm import farm_dialect
from dispatcher.dialects.gate import Gate, IssueServerToken
from dispatcher.dialects.jobs.jobs import jobs_dialect
from dispatcher.dialects.native.native import native_dialect
from dispatcher.domain.clock import Clock
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.forward import UrlPolicy
from dispatcher.service.duties import Duties
from dispatcher.service.services import Services
from dispatcher.settings import Settings
from dispatcher.web.body import BodyLimits
from dispatcher.web.health import Health
from dispatcher.web.rates import Rates


def anonymous(dialect: str) -> Principal:
    """Whoever comes through this dialect's door without a token; apart from the quotas and the turns of the others."""
    return Principal(Owner(f"open-{dialect}", "anonymous"), frozenset(Role), door=dialect)


def native_door(
    settings: Settings,
    services: Services,
    tokens: Tokens,
    callbacks: CallbackTokens,
    clock: Clock,
    *,
    duties: Duties,
    health: Health,
    policy: UrlPolicy,
    sealer: Sealer,
    issue_server_token: IssueServerToken,
    version: str,
) -> Dialect:
    gate = Gate(
        tokens,
        callbacks.read,
        services.coordination,
        options.rates(settings),
        BodyLimits(max_bytes=settings.server.max_body),
        BodyLimits(max_bytes=settings.urls.max_response),
        is_current=services.servers.is_registration,
    )
    return native_dialect(
        services,
        gate,
        clock,
        duties=duties,
        health=health,
        check_url=policy.check_url,
        seal_key=sealer.seal,
        issue_server_token=issue_server_token,
        callback_token=callbacks.make,
        public_url=options.public_url(settings),
        version=version,
        options=options.native_options(settings),
    )


def jobs_doors(
    settings: Settings, services: Services, tokens: Tokens, callbacks: CallbackTokens, health: Health
) -> dict[tuple[str, str], Dialect]:
    doors = _doors("jobs", settings, services, tokens, callbacks, options.jobs_rates(settings))
    made = options.jobs_options(settings)
    return {("jobs", auth): jobs_dialect(services, door, health=health, options=made) for auth, door in doors.items()}


def farm_doors(
    settings: Settings, services: Services, tokens: Tokens, callbacks: CallbackTokens, clock: Clock
) -> dict[tuple[str, str], Dialect]:
    doors = _doors("farm", settings, services, tokens, callbacks, options.farm_rates(settings))
    made, limits = options.farm_options(settings), options.farm_socket_limits(settings)
    return {
        ("farm", auth): farm_dialect(services, door, clock, options=made, socket_limits=limits)
        for auth, door in doors.items()
    }


def cloudai_doors(
    settings: Settings,
    services: Services,
    tokens: Tokens,
    callbacks: CallbackTokens,
    clock: Clock,
    *,
    health: Health,
    issue_server_token: IssueServerToken,
) -> dict[tuple[str, str], Dialect]:
    doors = _doors("cloudai", settings, services, tokens, callbacks, options.cloudai_rates(settings))
    made = options.cloudai_options(settings)
    return {
        ("cloudai", auth): cloudai_dialect(
            services, door, clock, health=health, issue_server_token=issue_server_token, options=made
        )
        for auth, door in doors.items()
    }


def cluster_doors(
    settings: Settings,
    services: Services,
    tokens: Tokens,
    callbacks: CallbackTokens,
    keys: ApiKeys,
    health: Health,
    clock: Clock,
) -> dict[tuple[str, str], Dialect]:
    doors = _doors("cluster", settings, services, tokens, callbacks, options.cluster_rates(settings))
    made = options.cluster_options(settings)
    return {
        ("cluster", auth): cluster_dialect(services, replace(door, keys=keys), clock, health=health, options=made)
        for auth, door in doors.items()
    }


def _doors(
    dialect: str, settings: Settings, services: Services, tokens: Tokens, callbacks: CallbackTokens, rates: Rates
) -> dict[str, Gate]:
    limits = BodyLimits(max_bytes=settings.server.max_body)
    gate = Gate(tokens, callbacks.read, services.coordination, rates, limits)
    return {"required": gate, "none": replace(gate, anonymous=anonymous(dialect))}
