"""The APIs beside the native one, each behind two doors: with tokens and without. Which of them is reached is for the
settings to say."""

from dataclasses import replace

from dispatcher.app import options
from dispatcher.auth.apikeys import ApiKeys
from dispatcher.auth.callback import CallbackTokens
from dispatcher.auth.tokens import Tokens
from dispatcher.dialects.cloudai.cloudai import cloudai_dialect
from dispatcher.dialects.cloudai.worker_routes import IssueServerToken
from dispatcher.dialects.cluster.cluster import cluster_dialect
from dispatcher.dialects.dialect import Dialect
from dispatcher.dialects.farm.farm import farm_dialect
from dispatcher.dialects.gate import Gate
from dispatcher.dialects.jobs.jobs import jobs_dialect
from dispatcher.domain.clock import Clock
from dispatcher.domain.principal import Owner, Principal, Role
from dispatcher.service.services import Services
from dispatcher.settings import Settings
from dispatcher.web.body import BodyLimits
from dispatcher.web.health import Health
from dispatcher.web.rates import Rates


def anonymous(dialect: str) -> Principal:
    """Whoever comes through this dialect's door without a token; apart from the quotas and the turns of the others."""
    return Principal(Owner(f"open-{dialect}", "anonymous"), frozenset(Role), door=dialect)


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
