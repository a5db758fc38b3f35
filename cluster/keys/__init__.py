"""The key service: signing, wrapping and public halves. Private keys never leave it.

`KeyService` (protocol.py) is what the rest of the service needs. Two backends keep it: OpenBao's transit engine
(openbao.py: the local stack, and installations of one's own) and AWS KMS (kms.py, with a limiter, a cache and a second
region). Both pass the same behaviour suite, tests/cluster/test_keys.py. docs/keys.md says what differs.
"""

from __future__ import annotations

from cluster.keys.openbao import BATCH, OpenBao
from cluster.keys.protocol import WRAPPING_KEY, KeyService, ServiceSigner
from cluster.settings import Settings

__all__ = ["BATCH", "WRAPPING_KEY", "KeyService", "OpenBao", "ServiceSigner", "connect"]


def connect(settings: Settings) -> KeyService:
    """The key service of this process, as the setting `key_service` names it."""
    if settings.key_service == "kms":
        from cluster.keys.kms import Kms

        return Kms(settings)
    return OpenBao(settings)
