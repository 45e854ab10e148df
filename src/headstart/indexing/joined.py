"""Joins names into groups: what is joined with one of a group belongs to all of it."""


class Joined:
    """Groups of names; each has the first of its names in alphabetical order."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}  # a name -> an earlier name of the same group, or itself

    def first(self, name: str) -> str:
        """The first name of the group; a new name is a group of its own."""
        above = self._above
        while above.setdefault(name, name) != name:
            above[name] = name = above[above[name]]  # the next search is shorter
        return name

    def join(self, one: str, other: str) -> None:
        """Make one group of the groups of both."""
        first, second = sorted((self.first(one), self.first(other)))
        self._above[second] = first

    def groups(self) -> dict[str, str]:
        """The first name of the group of each name that was joined or looked for."""
        return {name: self.first(name) for name in self._above}
