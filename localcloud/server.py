"""One embedded cloud: moto's services behind the gateway, with everything that runs for them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localcloud.context import ACCOUNT, REGION, CloudContext
from localcloud.home import Home
from localcloud.listener import HOST, listen
from localcloud.moto_settings import configure_moto
from localcloud.processes import Spawner

_WORKERS = 16


class Cloud:
    """A cloud on a home that this process holds.

    Parameters
    ----------
    home
        Its folder, locked.
    port
        TCP port on the loopback device; 0 takes a free one.
    stack
        Name of the Pulumi stack that will be deployed on it.

    Raises `PatchError` when moto is not what the adapters expect, `JournalError` when what the
    home holds cannot be restored.
    """

    def __init__(self, home: Home, *, port: int = 0, stack: str = "dev") -> None:
        self._home = home
        self._server = listen(port)
        configure_moto(self._server.port)
        from localcloud.identity.audit import AuditTrail
        from localcloud.identity.guard import Guard
        from localcloud.identity.principals import Principals, new_operator_keys
        from localcloud.identity.resources import Place

        place = Place(ACCOUNT, REGION)
        principals = Principals(place)
        operator = home.operator(new_operator_keys)
        principals.add_operator(operator)
        self._audit = AuditTrail(home.path / "audit.jsonl")
        guard = Guard(principals, self._audit, place)
        self.context = CloudContext(
            home=home.path,
            endpoint=f"http://{HOST}:{self._server.port}",
            operator=operator,
            identity=guard,
            spawner=Spawner(),
            executor=ThreadPoolExecutor(_WORKERS, thread_name_prefix="cloud"),
            stack=stack,
        )
        try:
            self._install(guard)
        except BaseException:
            self.stop()
            raise

    def _install(self, guard: Any) -> None:
        """Put the adapters in, bring the data back, and begin to answer."""
        from localcloud import events, lambdas
        from localcloud.dispatcher import Dispatcher
        from localcloud.faults.effects import Effects
        from localcloud.gateway import Gateway
        from localcloud.patches import install as install_patches
        from localcloud.persistence.keeper import Keeper

        application = Dispatcher()
        install_patches(self.context)
        keeper = Keeper(self.context)
        keeper.restore(application)
        self.context.on_shutdown(keeper.close)

        def end_caller(access_key_id: str, overdue: bool) -> bool:
            pool = lambdas.service_of(self.context).pool
            return pool.end(access_key_id, overdue=overdue)

        effects = Effects(end_caller)
        self._server.app = Gateway(application, guard, keeper, self.context.faults, effects)
        thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        thread.start()
        self.context.on_shutdown(self._server.shutdown)
        lambdas.install(self.context)
        events.install(self.context)

    def begin(self) -> None:
        """Deliver events and fire schedules from now on; called once the stack is deployed."""
        from localcloud import events

        events.start(self.context)

    def stop(self) -> None:
        """End every child, answer no further call, and let the home go."""
        from localcloud.identity.usage import keep_usage

        self._home.withdraw()
        self.context.shut_down()
        self._server.server_close()
        self._audit.close()
        keep_usage(self._home.path)
        self._home.release()
