"""Every operation of the OpenAPI document, called with made-up input: no 5xx, no status and no answer that it does not name.

Three callers, an operator, a reader and a learner, and nobody. `make test` makes a few calls of each operation with input
that the document allows, `make test-all` many, also with input that it does not allow.
"""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
import schemathesis

# pytest rewrites this package, since it is a plugin, and these large modules of it are imported when they are first
# needed: behind other tests that fails on Python 3.11 (see tests/conftest.py).
import schemathesis.generation.dictionaries
import schemathesis.specs.openapi.schemas
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cluster.local.identity import mint_token
from tests.support.running import Running
from tests.support.tenants import Tenant

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
CALLERS = {
    "operator": ("operator",),
    "reader": ("content:read",),
    "learner": ("device:register",),
    "nobody": None,
}
PHASES = [Phase.explicit, Phase.generate]


@pytest.fixture(scope="module")
def api(running: Running) -> Any:
    tenant = Tenant(running)
    limits = "update tenants set limits = %s where tenant = %s returning tenant"
    running.rows(limits, '{"requests_per_minute": 1000000}', tenant.name)
    headers = {
        name: {"Authorization": f"Bearer {mint_token(tenant.home, tenant.name, scopes, name)}"} if scopes else {}
        for name, scopes in CALLERS.items()
    }
    return schemathesis.openapi.from_url(f"{running.settings.api_url}/openapi.json"), headers


def call_everything(
    api: Any, caller: str, examples: int, seed: int, mode: GenerationMode = GenerationMode.POSITIVE
) -> None:
    """Call each operation `examples` times. Raises what schemathesis finds, all operations together."""
    schema, headers = api
    failures: list[BaseException] = []
    called = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=PHASES,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def call(case: Any) -> None:
            case.call_and_validate(headers=headers[caller], checks=CHECKS, timeout=20)

        try:
            call()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "an operation without input has nothing that could be wrong"
        except Exception as error:
            failures.append(error)
        called += 1
    assert called > 30
    assert not failures, "\n\n".join(str(failure) for failure in failures)


@pytest.mark.parametrize("caller", CALLERS)
def test_a_few_calls_of_every_operation(api: Any, caller: str) -> None:
    call_everything(api, caller, examples=4, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_many_calls_of_every_operation(api: Any, caller: str, mode: GenerationMode) -> None:
    call_everything(api, caller, examples=50, seed=2, mode=mode)
