"""Replace attributes of moto, and put them back."""

from typing import Any


class Replacements:
    """What was replaced, so that the end of a cloud leaves moto as it was."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, Any]] = []
        self._missing = object()

    def replace(self, owner: Any, name: str, new: Any) -> Any:
        """Set an attribute and return what it was; None when there was none."""
        old = vars(owner).get(name, self._missing)
        self._replaced.append((owner, name, old))
        setattr(owner, name, new)
        return None if old is self._missing else old

    def undo(self) -> None:
        """Put everything back, the last replacement first."""
        while self._replaced:
            owner, name, old = self._replaced.pop()
            if old is self._missing:
                delattr(owner, name)
            else:
                setattr(owner, name, old)
